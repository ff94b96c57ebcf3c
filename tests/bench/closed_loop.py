"""A closed loop of work: so many callers, each begins its next call when the last has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Loop:
    """What calls took, each in seconds, and all of them together."""

    waits: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.waits) / self.seconds


async def closed_loop(call: Callable[[], Awaitable[None]], count: int, callers: int) -> Loop:
    """Call ``count`` times in all. Raises what a call raises."""
    left = iter(range(count))
    waits: list[float] = []

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await call()
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Loop(waits, time.perf_counter() - began)


def percentile(waits: Sequence[float], share: float) -> float:
    """Of ``waits`` in seconds, in milliseconds; AssertionError without any."""
    assert waits, "nothing was measured"
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))] * 1000
