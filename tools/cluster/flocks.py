"""Exclusive locks between processes, held on a file or folder that already exists."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.cluster.errors import ClusterError
from tools.cluster.progress import say

_POLL_SECONDS = 0.2


@contextmanager
def locked(path: Path, purpose: str, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock for the block; the kernel frees it if this process is killed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _acquire(descriptor, f"{purpose} ({path})", timeout_seconds)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, purpose: str, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ClusterError(f"another command still holds the lock for {purpose}") from None
            if not told:
                say(f"waiting for another command: {purpose}")
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return
