"""A queue of keys: each waits at most once, is worked on by one worker, and is not hurried.

What is added while it is worked on is worked on again afterwards. A key that comes back at once
waits until MIN_INTERVAL has passed, and one that failed waits longer each time.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable

from quorate_operator.kinds import Key
from quorate_operator.turns import Turns

BACKOFF_FIRST = 0.1
BACKOFF_MAX = 30.0
"""Seconds until a key that failed is tried again, doubling."""


class WorkQueue:
    """Keys to look at. Times are those of ``clock``, in seconds; a running loop's by default.

    At most ``at_once`` keys of one namespace are worked on at a time; without it, any number.
    At most ``keys_max`` wait. Beyond that keys are dropped and :attr:`overflowed` is set: whoever
    drains the queue must then add everything there is again.
    """

    def __init__(
        self,
        name: str,
        *,
        keys_max: int,
        min_interval: float,
        at_once: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self.overflowed = False
        self._keys_max = keys_max
        self._min_interval = min_interval
        self._clock = clock
        self._ready = Turns(at_once or keys_max)
        self._waiting: set[Key] = set()
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._later: list[tuple[float, int, Key]] = []
        self._later_at: dict[Key, float] = {}
        self._last: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._sequence = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Keys that are ready or being worked on."""
        return len(self._waiting) + len(self._working)

    def add(self, key: Key) -> None:
        """Look at ``key`` as soon as its interval allows."""
        if key in self._working:
            self._again.add(key)
            return
        if key in self._waiting:
            return
        earliest = self._last.get(key, 0.0) + self._min_interval
        if earliest > self._now():
            self.add_at(key, earliest)
        else:
            self._make_ready(key)

    def add_at(self, key: Key, when: float) -> None:
        """Look at ``key`` at ``when``, or before if it is added for sooner."""
        known = self._later_at.get(key)
        if known is not None and known <= when:
            return
        if known is None and len(self._later_at) >= self._keys_max:
            self.overflowed = True
            return
        self._later_at[key] = when
        heapq.heappush(self._later, (when, next(self._sequence), key))
        if len(self._later) > 2 * len(self._later_at) + 64:
            self._later = [
                entry for entry in self._later if self._later_at.get(entry[2]) == entry[0]
            ]
            heapq.heapify(self._later)
        self._wake.set()

    def add_in(self, key: Key, seconds: float) -> None:
        """Look at ``key`` in so many seconds."""
        self.add_at(key, self._now() + seconds)

    async def get(self) -> Key:
        """Wait for the next key. The caller ends with :meth:`done` or :meth:`failed`."""
        while True:
            self._promote()
            key = self._ready.take()
            if key is not None:
                self._waiting.discard(key)
                self._working.add(key)
                return key
            self._wake.clear()
            await self._sleep()

    def done(self, key: Key) -> None:
        """``key`` was worked on."""
        self._failures.pop(key, None)
        self._finish(key)

    def failed(self, key: Key) -> None:
        """``key`` could not be worked on; it comes back later each time."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self._finish(key)
        delay = min(BACKOFF_MAX, BACKOFF_FIRST * 2.0 ** min(failures - 1, 16))
        self.add_in(key, delay * (0.5 + random.random() / 2))  # noqa: S311 - spreads load only

    def _finish(self, key: Key) -> None:
        self._working.discard(key)
        self._ready.back(key)
        if self._waiting:
            self._wake.set()
        self._last.pop(key, None)
        self._last[key] = self._now()
        self._forget_old()
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _make_ready(self, key: Key) -> None:
        if len(self._waiting) >= self._keys_max:
            self.overflowed = True
            return
        self._later_at.pop(key, None)
        self._waiting.add(key)
        self._ready.add(key)
        self._wake.set()

    def _promote(self) -> None:
        now = self._now()
        while self._later and self._later[0][0] <= now:
            when, _, key = heapq.heappop(self._later)
            if self._later_at.get(key) != when:
                continue  # it was added for sooner, or worked on since
            del self._later_at[key]
            if key in self._working:
                self._again.add(key)
            elif key not in self._waiting:
                self._make_ready(key)

    def _forget_old(self) -> None:
        """Only keys of the last interval matter, in the order in which they ended."""
        oldest = self._now() - self._min_interval
        while self._last:
            key = next(iter(self._last))
            if self._last[key] > oldest:
                return
            del self._last[key]

    async def _sleep(self) -> None:
        timeout = self._later[0][0] - self._now() if self._later else None
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()
