"""Routes: tier, time and people of each band; of several policies the strictest."""

import msgspec
import pytest

from quorate.consensus.request import Band
from quorate.consensus.thresholds import Tier
from quorate.risk.route import VOTING, Approvers, Route, Voting, route, strictest
from quorate.statements import convert, encode


@pytest.mark.requirement("run-time votes: medium is fast within 200 ms, high strict within 1000 ms")
def test_each_band_has_its_route() -> None:
    """Local asks nobody; critical is high, and a human."""
    assert route(Band.LOCAL) == Route(None)
    assert route(Band.MEDIUM) == Route(Tier.FAST, 0.2)
    assert route(Band.HIGH) == Route(Tier.STRICT, 1.0)
    assert route(Band.CRITICAL) == Route(Tier.STRICT, 1.0, human=True)


def test_veto_is_for_whatever_is_asked() -> None:
    """Both tiers."""
    voting = Voting(veto=True, fast_ms=150)
    assert route(Band.MEDIUM, voting) == Route(Tier.FAST, 0.15, veto=True)
    assert route(Band.HIGH, voting).veto
    assert not route(Band.LOCAL, voting).veto


ONE, TWO = Approvers(1, ("a",)), Approvers(2, ("a", "b"))


def test_the_strictest_of_several_holds() -> None:
    """The shortest times, any veto, all approvers; in any order, and a group once."""
    first = Voting(fast_ms=150, approvers=(ONE,))
    second = Voting(strict_ms=500, veto=True, hold_seconds=60, approvers=(TWO, ONE))
    found = strictest([first, second])
    assert found == Voting(150, 500, True, 60, (ONE, TWO))
    other = strictest([second, first])
    assert (other.fast_ms, other.strict_ms, other.veto) == (150, 500, True)
    assert set(other.approvers) == {ONE, TWO}


def test_what_is_as_by_default_is_the_default_itself() -> None:
    """So that it is not sent, and older sidecars go on."""
    assert strictest([]) is VOTING
    assert strictest([Voting(), Voting(veto=False)]) is VOTING
    assert encode(VOTING) == b"{}"


def test_rules_read_as_they_were_written() -> None:
    """Through the canonical form."""
    voting = Voting(100, 700, True, 120, (TWO,))
    assert convert(msgspec.json.decode(encode(voting)), Voting, "voting") == voting
