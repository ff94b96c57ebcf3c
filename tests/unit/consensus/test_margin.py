"""Margins: what people are told of thresholds is what the committee does."""

import pytest

from quorate.consensus.margin import margins
from quorate.consensus.thresholds import PRESETS, Faults, expected
from tests.fakes.ballots import Committee


@pytest.mark.parametrize("preset", ["standard", "ha"])
def test_so_many_may_be_down_and_one_more_may_not(preset: str) -> None:
    """The number is that of the table which the thresholds' own test holds."""
    thresholds = PRESETS[preset]
    for margin in margins(Committee(thresholds).epoch, ()):
        assert expected(thresholds, margin.tier, Faults(margin.down), harmless=True)
        assert not expected(thresholds, margin.tier, Faults(margin.down + 1), harmless=True)
        assert margin.honest + thresholds.r == margin.needed


def test_who_is_away_or_unknown_stands_for_nothing() -> None:
    """Quarantined members and strangers that answer do not help, and q does not follow them."""
    committee = Committee(quarantined=["m4"])
    fast, strict = margins(committee.epoch, ["m0", "m1", "m2", "m4", "m9"])
    assert (fast.standing, fast.spare) == (3, 0)
    assert (strict.needed, strict.spare) == (4, -1)
