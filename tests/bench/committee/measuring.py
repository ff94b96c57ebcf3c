"""One way of deciding, measured: one at a time and several at once, and what it costs whom."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench.closed_loop import Loop, closed_loop, percentile
from tests.bench.report import Figure
from tests.bench.usage import cpu_seconds

ALONE = int(os.environ.get("BENCH_ALONE", "100"))
AT_ONCE = int(os.environ.get("BENCH_AT_ONCE", "96"))
CALLERS = (8, 32)
WARM = 32
LATE_SECONDS = 0.7
"""After a loop: what a member does for an ask that was decided without it belongs to that ask."""


@dataclass(frozen=True)
class Cost:
    """A loop, and the CPU milliseconds of a call: of all servers together, and of who asked."""

    loop: Loop
    servers: float
    asker: float


@dataclass(frozen=True)
class Measured:
    """One decision at a time and, if that was measured, so many of CALLERS at once."""

    alone: Cost
    at_once: tuple[Cost, ...]


async def measure(
    call: Callable[[], Awaitable[bool]], pids: Sequence[int], *, at_once: bool
) -> Measured:
    """``call`` decides once. ``pids`` are the servers; who asks is this process."""
    await closed_loop(call, WARM, CALLERS[0])
    alone = await _cost(call, pids, ALONE, 1)
    levels = CALLERS if at_once else ()
    return Measured(alone, tuple([await _cost(call, pids, AT_ONCE, n) for n in levels]))


async def _cost(
    call: Callable[[], Awaitable[bool]], pids: Sequence[int], count: int, callers: int
) -> Cost:
    await asyncio.sleep(LATE_SECONDS)
    servers, asker = _cpu(pids), cpu_seconds(os.getpid())
    loop = await closed_loop(call, count, callers)
    await asyncio.sleep(LATE_SECONDS)
    servers, asker = _cpu(pids) - servers, cpu_seconds(os.getpid()) - asker
    return Cost(loop, servers / count * 1000, asker / count * 1000)


def _cpu(pids: Sequence[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids)


@dataclass(frozen=True)
class Targets:
    """Bounds on the milliseconds of a decision, how many of a hundred are what they must be in that
    time, and how many there are a second."""

    p50: float | None = None
    p99: float | None = None
    right: float | None = None
    rate: float | None = None


NONE = Targets()


def figures(
    name: str,
    own: Measured,
    targets: Targets = NONE,
    floor: Measured | None = None,
    peer: Measured | None = None,
) -> Iterator[Figure]:
    """The rows of ``own``; beside it one judge alone, and CometBFT with as many down."""

    beside = [None if one is None else one.alone for one in (floor, peer)]
    yield from _rows(name, own.alone, targets, *beside)
    for place, cost in enumerate(own.at_once):
        beside = [None if one is None else one.at_once[place] for one in (floor, peer)]
        what = f"{name}, {CALLERS[place]} at once"
        yield from _rows(what, cost, NONE, *beside)
        rates = [None if one is None else one.loop.rate for one in beside]
        rate = None if targets.rate is None else f">={targets.rate:g}"
        yield Figure(f"{what}: rate", cost.loop.rate, "1/s", rate, *rates)


def _rows(
    name: str, own: Cost, targets: Targets, floor: Cost | None, peer: Cost | None
) -> Iterator[Figure]:
    measures: tuple[tuple[str, Callable[[Cost], float], float | None], ...] = (
        ("p50", lambda one: percentile(one.loop.waits, 0.5), targets.p50),
        ("p99", lambda one: percentile(one.loop.waits, 0.99), targets.p99),
        ("CPU of all members", lambda one: one.servers, None),
        ("CPU of who asks", lambda one: one.asker, None),
    )
    for what, of, bound in measures:
        beside = (None if one is None else of(one) for one in (floor, peer))
        target = None if bound is None else f"<={bound:g}"
        yield Figure(f"{name}: {what}", of(own), "ms", target, *beside)
    target = None if targets.right is None else f">={targets.right:g}"
    yield Figure(f"{name}: decided as it must be, in time", own.loop.share, "%", target)
