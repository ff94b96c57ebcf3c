"""Progress lines with the seconds since the command began."""

from __future__ import annotations

import sys
import time

_STARTED = time.monotonic()


def elapsed_seconds() -> float:
    """Seconds since this process first imported the module."""
    return time.monotonic() - _STARTED


def say(message: str) -> None:
    """Print one progress line to standard error: standard output carries results only."""
    print(f"[{elapsed_seconds():6.1f}s] {message}", file=sys.stderr, flush=True)
