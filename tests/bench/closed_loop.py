"""A closed loop of work: so many callers, each begins its next call when the last has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Loop:
    """What calls took, each in seconds, and all of them together; how many went as they should."""

    waits: list[float]
    seconds: float
    right: int

    @property
    def share(self) -> float:
        """How many of a hundred went as they should."""
        return self.right / len(self.waits) * 100

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.waits) / self.seconds


async def closed_loop(call: Callable[[], Awaitable[bool]], count: int, callers: int) -> Loop:
    """Call ``count`` times in all; a call says whether it went as it should.

    Raises what a call raises.
    """
    left = iter(range(count))
    waits: list[float] = []

    async def caller() -> int:
        right = 0
        for _ in left:
            began = time.perf_counter()
            right += await call()
            waits.append(time.perf_counter() - began)
        return right

    began = time.perf_counter()
    right = await asyncio.gather(*(caller() for _ in range(callers)))
    return Loop(waits, time.perf_counter() - began, sum(right))


def percentile(waits: Sequence[float], share: float) -> float:
    """Of ``waits`` in seconds, in milliseconds; AssertionError without any."""
    assert waits, "nothing was measured"
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))] * 1000
