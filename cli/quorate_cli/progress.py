"""Progress of long work, on standard error."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from quorate.limits import MIB

_QUIET_BYTES = 64 * MIB
"""Less than this is over before anyone wonders."""
_QUIET_COUNT = 1_000
_INTERVAL_TERMINAL = 0.5
_INTERVAL_LOG = 10.0


class Progress:
    """Prints how far hashing is: in place on a terminal, a line every 10 s in a log."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty()
        self._interval = _INTERVAL_TERMINAL if self._terminal else _INTERVAL_LOG
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` bytes are hashed, not more often than is useful."""
        if self._quiet or total < _QUIET_BYTES:
            return
        now = self._clock()
        if now < self._next and done < total:
            return
        self._next = now + self._interval
        text = f"hashed {done // MIB:,} of {total // MIB:,} MiB ({100 * done // total} %)"
        self._show(text, done < total)

    def read(self, count: int, what: str) -> None:
        """Say that ``count`` objects are read, not more often than is useful."""
        now = self._clock()
        if self._quiet or count < _QUIET_COUNT or now < self._next:
            return
        self._next = now + self._interval
        self._show(f"read {count:,} {what}", self._terminal)

    def _show(self, text: str, again: bool) -> None:
        print(text, end="\r" if self._terminal and again else "\n", file=self._stream, flush=True)
