"""One long command that runs behind the others, with its output in a file."""

import subprocess
import sys
import time
from pathlib import Path


class Background:
    """Started at once; :meth:`join` waits for it and shows its output if it failed."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        self._started = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def join(self, timeout_seconds: float) -> float:
        """Wait; return how long it took, in seconds. Exits if it failed or took too long."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            code = -1
        if code != 0:
            tail = self._log.read_text("utf-8", errors="replace").splitlines()[-60:]
            sys.exit("\n".join([*tail, f"{self.name} failed with {code}; log: {self._log}"]))
        return time.monotonic() - self._started

    def stop(self) -> None:
        """End it if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
