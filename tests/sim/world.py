"""Virtual time: a queue of what happens next, one seeded source of chance, and a trace.

Nothing here waits and nothing reads a clock, so a run is a function of its plan.
"""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EVENTS_MAX = 60_000
"""A run that needs more goes in circles."""
DAWN = datetime(2026, 1, 1, tzinfo=UTC)


class Runaway(Exception):
    """A run did not come to an end."""


class World:
    """Seconds since the beginning, and what is due when."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.trace: list[str] | None = [] if verbose else None
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Do ``call`` in ``seconds``."""
        self.at(self.now + seconds, call)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Do ``call`` at ``when``."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, call))

    def run(self) -> None:
        """Until nothing is due. Raises Runaway."""
        while self._due:
            self.now, _, call = heapq.heappop(self._due)
            call()
            if self._count > EVENTS_MAX:
                raise Runaway(f"{EVENTS_MAX} events at {self.now:.3f} s")

    def wall(self, skew: float) -> datetime:
        """What a clock shows that is ``skew`` seconds ahead."""
        return DAWN + timedelta(seconds=self.now + skew)

    def say(self, line: str, *values: object) -> None:
        """A line of the trace, formatted only if somebody will read it."""
        if self.trace is not None:
            self.trace.append(f"{self.now:8.4f}  {line.format(*values)}")
