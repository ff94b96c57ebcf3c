"""What benchmarks compute from what they measure."""

import asyncio

import pytest

from tests.bench.closed_loop import closed_loop, percentile
from tests.bench.report import Figure


def test_percentiles_are_of_the_sorted_waits() -> None:
    """In milliseconds, the largest at most, and of nothing there is none."""
    waits = [number / 1000 for number in range(100, 0, -1)]
    assert percentile(waits, 0.5) == 51
    assert percentile(waits, 0.99) == 100
    assert percentile([0.003], 0.99) == 3
    with pytest.raises(AssertionError, match="nothing was measured"):
        percentile([], 0.5)


async def test_a_closed_loop_keeps_so_many_calls_under_way() -> None:
    """Each call once, never more at a time than there are callers, and who went well counts."""
    under_way, most, calls = 0, 0, 0

    async def call() -> bool:
        nonlocal under_way, most, calls
        calls += 1
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return calls <= 7

    loop = await closed_loop(call, 21, 4)
    assert (len(loop.waits), most, under_way) == (21, 4, 0)
    assert loop.rate == 21 / loop.seconds
    assert 0 < loop.right < 21
    assert loop.share == loop.right / 21 * 100


@pytest.mark.parametrize(
    ("figure", "verdict", "ratios"),
    [
        (Figure("a", 3, "ms", "<=3", 2, 6), "ok", (1.5, 0.5)),
        (Figure("a", 3.1, "ms", "<=3"), "MISSED", (None, None)),
        (Figure("a", 2, "1/s", ">=3", 0), "MISSED", (None, None)),
        (Figure("a", 2, "1/s"), "", (None, None)),
    ],
)
def test_a_figure_says_its_verdict_and_its_ratios(
    figure: Figure, verdict: str, ratios: tuple[float | None, float | None]
) -> None:
    """Met or missed with a target, and a ratio wherever there is something to divide by."""
    assert (figure.verdict, (figure.to_floor, figure.to_peer)) == (verdict, ratios)
    assert figure.cells[-1] == verdict
