"""Bounds on what is in work at once and on how often one pod may ask: shed, never queue."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from quorate.errors import QuorateError
from quorate_consensus.judging import Overloaded

WINDOW_SECONDS = 10.0
REQUESTS_PER_WINDOW = 60
"""Per pod. Its containers ask every ten seconds, and every second while they start."""


class TooManyRequests(QuorateError):
    """One pod asks more often than its containers need to."""


class Lane:
    """At most ``size`` requests of one kind at once, so that no kind starves another."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._busy = 0

    @property
    def is_free(self) -> bool:
        """Whether there is a place."""
        return self._busy < self._size

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place. Raises Overloaded if all are taken."""
        if not self.is_free:
            raise Overloaded(f"{self._size} {self._name} requests are in work", fix="ask again")
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1


class Share:
    """At most ``size`` requests at once, of these ``each`` of one caller.

    For what needs no token: who sends slowly holds its own places, and nobody else's.
    """

    def __init__(self, name: str, size: int, each: int) -> None:
        self._lane = Lane(name, size)
        self._name = name
        self._each = each
        self._busy: Counter[str] = Counter()

    @contextlib.contextmanager
    def enter(self, caller: str) -> Iterator[None]:
        """Hold a place. Raises Overloaded if all are taken, or all of this caller's."""
        if self._busy[caller] >= self._each:
            raise Overloaded(f"{self._each} {self._name} requests of one caller are in work")
        with self._lane.enter():
            self._busy[caller] += 1
            try:
                yield
            finally:
                self._busy[caller] -= 1
                if not self._busy[caller]:
                    del self._busy[caller]


class PodRate:
    """Counts requests by pod in windows of WINDOW_SECONDS. Memory is bounded by known pods."""

    def __init__(self, monotonic: Callable[[], float], most: int = REQUESTS_PER_WINDOW) -> None:
        """``most``: requests of one pod in a window."""
        self._monotonic = monotonic
        self._most = most
        self._window_ends = 0.0
        self._counts: dict[str, int] = {}

    def check(self, uid: str) -> None:
        """Count a request. Raises TooManyRequests above the bound."""
        now = self._monotonic()
        if now >= self._window_ends:
            self._window_ends = now + WINDOW_SECONDS
            self._counts.clear()
        count = self._counts[uid] = self._counts.get(uid, 0) + 1
        if count > self._most:
            raise TooManyRequests(
                f"more than {self._most} requests in {WINDOW_SECONDS:.0f} s from one caller",
                fix="ask again later",
            )
