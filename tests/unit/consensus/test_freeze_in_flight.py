"""A freeze that arrives while a member is at work on what it covers."""

from datetime import UTC, datetime, timedelta

import pytest

from quorate.consensus import member as core
from quorate.consensus import wire
from quorate.consensus.freeze import Freezes, Order, Scope, SignedOrder, Target
from quorate.consensus.member import Asked, FreezesKnown, Judged, Member, Persisted, Reply
from quorate.consensus.succession import Endorsement
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Vote
from tests.fakes.committee import APPROVE, FakeCommittee, FakeMember

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = (wire.request_digest(b"request"), Tier.FAST)
FROZEN = Target({Scope.NAMESPACE: "team-a"})
FREE = Target({Scope.NAMESPACE: "team-b"})


def freezes(life: timedelta = timedelta(hours=1)) -> Freezes:
    """One freeze of team-a. Whose signatures it has was looked at when it was taken in."""
    order = Order("c", Scope.NAMESPACE, "team-a", "drill", NOW - timedelta(hours=2), NOW + life)
    return Freezes({order.order_id: SignedOrder(order, (Endorsement("x", b"x"),))})


def asked(one: FakeMember, reply: int, target: Target) -> Member:
    """The member after an ask about ``target``."""
    assert one.state is not None
    ask = Ask(1, Tier.FAST, one.state.epoch.digest, bytes(16), bytes(32), 500, b"request")
    state, _ = core.step(one.state, Asked(reply, wire.encode(ask), target, NOW), one.kept, one.key)
    one.state = state
    return state


def answers(effects: tuple[core.Effect, ...]) -> dict[int, Vote | Abstention]:
    """What was answered to whom."""
    return {one.reply: wire.decode_answer(one.data) for one in effects if isinstance(one, Reply)}


@pytest.mark.requirement("committee: a freeze stops what is under way")
@pytest.mark.parametrize("judged", [False, True])
def test_nothing_leaves_that_a_freeze_covers(judged: bool) -> None:
    """Under judgement or on its way to the disk: the ask that is covered ends in an abstention,
    the other one in a vote."""
    one = FakeCommittee().members[0]
    asked(one, 1, FROZEN)
    state = asked(one, 2, FREE)
    if judged:
        state, _ = core.step(state, Judged(state.epoch.digest, KEY, APPROVE), one.kept, one.key)
    state, effects = core.step(state, FreezesKnown(freezes()), one.kept, one.key)
    assert answers(effects) == {1: Abstention(1, "Frozen")}
    if not judged:
        state, _ = core.step(state, Judged(state.epoch.digest, KEY, APPROVE), one.kept, one.key)
    state, effects = core.step(state, Persisted(2), one.kept, one.key)
    assert [type(answer) for answer in answers(effects).values()] == [Vote]
    assert (list(answers(effects)), state.asks) == ([2], 0)


@pytest.mark.requirement("committee: a freeze stops what is under way")
def test_a_freeze_that_is_over_stops_nothing() -> None:
    """One that had expired when the ask came is none."""
    one = FakeCommittee().members[0]
    state = asked(one, 1, FROZEN)
    state, effects = core.step(state, FreezesKnown(freezes(timedelta(0))), one.kept, one.key)
    assert (effects, state.asks) == ((), 1)
