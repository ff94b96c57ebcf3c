"""Twins: as many doubled members as are tolerated break nothing, and more of them do."""

import sys
from itertools import islice

import pytest

from quorate.consensus.thresholds import Thresholds
from tests.sim import twins
from tests.sim.twins import ENUMERATED, LARGER, SMALLEST

SAMPLE = 400
STEP = 11
"""Every so many of what is enumerated: a number that no side is a multiple of."""
TRIED = 200


@pytest.mark.requirement("committee: Twins scenarios, at most r doubled members, no wrong history")
def test_as_many_twins_as_tolerated_break_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong with the histories of the sample, in which approvals are acted on, epochs
    opened, and twins convicted by the two stories they told."""
    some = list(islice(twins.enumerated(), 0, None, STEP))
    counted = twins.run_some(some)
    counted.add(twins.run_some(map(twins.sampled, range(ENUMERATED, ENUMERATED + SAMPLE))))
    with capsys.disabled():
        sys.stdout.write(f"\n{counted}\n")
    assert counted.failures == []
    assert counted.scenarios == len(some) + SAMPLE
    assert min(counted.approvals_acted_on, counted.epochs, counted.quarantines) > 100


def test_everything_is_enumerated_once() -> None:
    """All splits of four members, a twin and two enforcement points, in each of two rounds."""
    found = list(twins.enumerated())
    assert len(found) == len({scenario.rounds for scenario in found}) == ENUMERATED
    assert [scenario.number for scenario in found] == list(range(ENUMERATED))
    assert twins.nth(5) == found[5]


def broken(size: Thresholds, doubled: int) -> set[str]:
    """Which rules the checker finds broken with so many twins."""
    return {
        line.partition(":")[0]
        for number in range(TRIED)
        for line in twins.run(twins.sampled(number, size, doubled)).violations
    }


@pytest.mark.requirement(
    "committee: Twins scenarios, more doubled members than r, a counterexample"
)
@pytest.mark.parametrize("size", [SMALLEST, *LARGER], ids=lambda size: f"n={size.n}")
def test_twins_in_every_intersection_contradict_each_other(size: Thresholds) -> None:
    """With as many twins as two quorums have in common, one request is approved and denied by
    strict quorums: the checker sees it. With one fewer it does not happen, though that may be more
    than r."""
    shared = 2 * size.strict - size.n
    assert shared > size.r
    assert "strict_certificates_agree" in broken(size, shared)
    assert broken(size, shared - 1) == set()


@pytest.mark.requirement("committee: simulator, a seed replays")
def test_a_scenario_replays() -> None:
    """The same number tells the same story, to the letter."""
    for number in (17, ENUMERATED + 3):
        first, again = (twins.run(twins.nth(number), verbose=True) for _ in range(2))
        assert first.trace == again.trace
        assert len(first.trace) > 20
