"""Progress of long work, on standard error: in place on a terminal, a line every 10 s in a log."""

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


class Paced:
    """Says things, not more often than is useful."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stream = stream or sys.stderr
        self.quiet = quiet
        self.terminal = self._stream.isatty()
        self._interval = _INTERVAL_TERMINAL if self.terminal else _INTERVAL_LOG
        self._next = 0.0

    def is_due(self, *, ended: bool) -> bool:
        """Whether to say something now: it is time, or the work has ended."""
        now = self._clock()
        if self.quiet or (now < self._next and not ended):
            return False
        self._next = now + self._interval
        return True

    def show(self, text: str, again: bool) -> None:
        """Say it; on a terminal the next one takes its place, if there is to be one ``again``."""
        print(text, end="\r" if self.terminal and again else "\n", file=self._stream, flush=True)


class Progress(Paced):
    """Says how far hashing and reading are."""

    def __call__(self, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` bytes are hashed."""
        if total >= _QUIET_BYTES and self.is_due(ended=done >= total):
            text = f"hashed {done // MIB:,} of {total // MIB:,} MiB ({100 * done // total} %)"
            self.show(text, done < total)

    def read(self, count: int, what: str) -> None:
        """Say that ``count`` objects are read."""
        if count >= _QUIET_COUNT and self.is_due(ended=False):
            self.show(f"read {count:,} {what}", self.terminal)
