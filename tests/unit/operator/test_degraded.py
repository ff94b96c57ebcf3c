"""When the committee is degraded: with fewer than one more than must sign, counted by the epoch."""

import pytest

from quorate.consensus import history as histories
from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS
from quorate_operator.reconcile.committee_conditions import (
    AVAILABLE,
    DEGRADED,
    MemberSeen,
    observe,
)
from tests.fakes.ballots import Committee

CASES = [
    (preset, quarantined, down)
    for preset, thresholds in PRESETS.items()
    for quarantined in range(thresholds.r + 1)
    for down in range(thresholds.n - quarantined + 1)
]


def seen(history: History, down: int) -> list[MemberSeen]:
    """The first ``down`` of those whose word counts do not answer."""
    standing = history.standing(history.head)
    return [MemberSeen(name, number >= down) for number, name in enumerate(standing)]


@pytest.mark.requirement("self-healing: fewer than q+1 live members sets Degraded")
@pytest.mark.parametrize(("preset", "quarantined", "down"), CASES)
def test_degraded_is_one_less_than_one_to_spare(preset: str, quarantined: int, down: int) -> None:
    """q+1 must answer whose word counts; a member under quarantine is no live one, though it may
    answer; q and n stay. A committee in which all must sign never had one to spare."""
    committee = Committee(PRESETS[preset], quarantined=[f"m{n}" for n in range(quarantined)])
    history = histories.begin(committee.epoch)
    observed = observe(history.head, seen(history, down))
    limits = PRESETS[preset]
    live = limits.n - quarantined - down
    wanted = min(limits.strict + 1, limits.n)
    assert observed[DEGRADED].status == ("True" if live < wanted else "False")
    assert observed[AVAILABLE].status == ("True" if live >= limits.strict else "False")
    if live < wanted:
        said = "NoneToSpare" if live >= limits.strict else "TooFewAnswer"
        assert observed[DEGRADED].reason == said


@pytest.mark.requirement("self-healing: fewer than q+1 live members sets Degraded")
def test_the_figures_are_those_of_the_issue() -> None:
    """n=5, q=4: one down or one liar is degraded. n=6, q=4: two are."""
    for preset, calm, degraded in (("standard", (0, 0), (0, 1)), ("ha", (1, 0), (1, 1))):
        for (quarantined, down), status in ((calm, "False"), (degraded, "True")):
            committee = Committee(PRESETS[preset], quarantined=["m0"][:quarantined])
            history = histories.begin(committee.epoch)
            found = observe(history.head, seen(history, down))[DEGRADED]
            assert found.status == status
