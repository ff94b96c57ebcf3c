"""How far a run is, on standard error: in place on a terminal, a line every 10 s in a log."""

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from quorate_evaluation.runner import Answered

_INTERVAL_TERMINAL: Final = 0.5
_INTERVAL_LOG: Final = 10.0


class RunProgress:
    """Prints cases done, cases in all, and those that got no answer."""

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

    def __call__(self, state: Answered, total: int) -> None:
        """Say how far it is, not more often than is useful."""
        now = self._clock()
        if self._quiet or (now < self._next and state.done < total):
            return
        self._next = now + self._interval
        text = f"{state.done:,} of {total:,} cases, {state.errors.total():,} without an answer"
        end = "\r" if self._terminal and state.done < total else "\n"
        print(text, end=end, file=self._stream, flush=True)
