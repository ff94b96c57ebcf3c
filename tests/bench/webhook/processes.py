"""Running a server as a process of its own, and what it costs."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS = 120.0


@contextlib.contextmanager
def running(arguments: Sequence[str], stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python program of the tree, ended at the end of the block."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in (".", "core", "webhook"))
    }
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, text=True, cwd=ROOT, stdout=stdout
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_ready(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until /readyz says so. Raises AssertionError if it does not in time."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError):
            address = f"http://127.0.0.1:{port}/readyz"
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.2)
    raise AssertionError("not ready in time")
