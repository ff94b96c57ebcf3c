import asyncio
from itertools import pairwise
from typing import cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate.errors import QuorateError, Unavailable
from quorate_io.member_api import ErrorBody, ObservedAnswer, ObservedBatch, Problem
from quorate_io.member_channel import MemberRefused
from quorate_io.operator_client import MemberLink
from quorate_operator.effects import relay as module
from quorate_operator.effects.relay import Relay
from quorate_operator.metrics import Metrics
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FixedClock, Monotonic
from tests.unit.operator.links import Link, Stop
from tests.unit.operator.scene import Scene, verified_scene
from tests.unit.operator.test_world import pod


def refusal(status: int, reason: str) -> MemberRefused:
    """An error a member answers."""
    return MemberRefused(status, ErrorBody(reason=reason, message="no"))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and retries in milliseconds."""
    for name in ("HEARTBEAT", "DEBOUNCE", "RETRY_FIRST", "RETRY_MAX", "ANEW_MAX"):
        monkeypatch.setattr(module, name, 0.001)


def told_by(failures: list[QuorateError | None], calls: int) -> Link:
    """A member that fails so, and ends the test after so many calls."""
    member = Link("member-0", failures)
    member.calls = calls
    return member


def relay(member: Link, scene: Scene, metrics: Metrics | None = None) -> Relay:
    """A relay to this member."""
    metrics = metrics or Metrics(CollectorRegistry())
    link = cast(MemberLink, member)
    return Relay(link, scene.world, FixedClock(NOW), metrics, Monotonic())


async def run(relay_: Relay) -> None:
    """Run until the member has seen enough."""
    with pytest.raises(Stop):
        async with asyncio.timeout(10):
            await relay_.run()


async def test_everything_first_then_heartbeats() -> None:
    """One session, numbered without a gap."""
    member = told_by([], calls=4)
    told = relay(member, verified_scene())
    await run(told)
    assert told.synced
    assert [b.sequence for b in member.heard] == [1, 2, 3, 4]
    assert len({b.session for b in member.heard}) == 1
    assert [b.reset for b in member.heard] == [True, False, False, False]


@pytest.mark.requirement("relay: full resync at each reconnect and NotReady answer")
@pytest.mark.parametrize("status", [400, 401, 403, 409])
async def test_refusal_begins_a_new_session(status: int) -> None:
    """Whatever the member refuses for good is told anew from the start."""
    failures: list[QuorateError | None] = [None, None, refusal(status, "ResyncNeeded")]
    member = told_by(failures, calls=5)
    await run(relay(member, verified_scene()))
    assert [b.sequence for b in member.heard] == [1, 2, 1, 2]
    assert member.heard[0].session != member.heard[2].session
    assert member.heard[2].reset
    assert member.heard[2].models


async def test_batch_without_an_answer_is_sent_again() -> None:
    """It may have been heard: the same batch goes out until it is answered, and nothing is lost."""
    scene = verified_scene()
    member = told_by([None, Unavailable("away"), refusal(503, "Overloaded"), None], calls=5)
    told = relay(member, scene)
    heard: list[bool] = []
    told.on_heard = lambda: heard.append(told.reachable)
    await run(told)
    assert [b.sequence for b in member.sent] == [1, 2, 2, 2, 3]
    assert member.sent[1] == member.sent[3]
    assert heard == [True]


async def test_silence_is_known() -> None:
    """How long the member has been silent is what an alert goes by."""
    scene = verified_scene()
    away: list[QuorateError | None] = [Unavailable("away")] * 3
    member = told_by(away, calls=3)
    told = relay(member, scene)
    assert told.down_for() == 0.0
    await run(told)
    assert not told.reachable
    clock = told._monotonic
    assert isinstance(clock, Monotonic)
    clock.time += 42.0
    assert told.down_for() == 42.0


@pytest.mark.requirement("relay: an operator that is blind keeps nothing in force")
async def test_blind_operator_sends_no_heartbeat() -> None:
    """Without live watches "this is still all" would be a guess."""
    scene = verified_scene()
    member = told_by([], calls=3)
    told = relay(member, scene)
    looks = iter([True] * 5 + [False] * 100)
    told.blind = lambda: next(looks)
    await run(told)
    assert [b.sequence for b in member.heard] == [1, 2, 3]
    assert len(list(looks)) < 100


async def test_changes_made_during_the_session_follow_it() -> None:
    """What arrives while everything is being told goes out right after."""
    scene = verified_scene()
    member = told_by([], calls=2)
    told = relay(member, scene)
    observe = member.observe

    async def observe_and_change(batch: ObservedBatch) -> ObservedAnswer:
        answer = await observe(batch)
        if batch.sequence == 1:
            scene.model(version="2")
        return answer

    member.observe = observe_and_change  # type: ignore[method-assign]
    await run(told)
    assert [m["spec"]["version"] for m in member.heard[1].models] == ["2"]


async def test_a_member_that_ends_every_session_is_told_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Telling everything costs time that honest members need: a liar gets little of it."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module, "RETRY_FIRST", 1.0)
    monkeypatch.setattr(module, "ANEW_MAX", 30.0)
    monkeypatch.setattr("quorate_operator.effects.relay.asyncio.sleep", sleep)
    await run(relay(told_by([refusal(409, "ResyncNeeded")] * 9, calls=9), verified_scene()))
    assert len(slept) == 9
    # Chance takes up to half of each away.
    assert all(later >= min(15.0, earlier) for earlier, later in pairwise(slept))
    assert max(slept) <= 30.0
    assert slept[-1] >= 15.0


async def test_a_member_that_complains_of_everything_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At every heartbeat it may name 64 objects, in words of its own."""
    member = told_by([], calls=10)
    observe = member.observe

    async def observe_and_complain(batch: ObservedBatch) -> ObservedAnswer:
        answer = await observe(batch)
        problems = (Problem(object="x", message="y" * 8000),) * 64
        return msgspec.structs.replace(answer, problems=problems)

    member.observe = observe_and_complain  # type: ignore[method-assign]
    with caplog.at_level("WARNING"):
        await run(relay(member, verified_scene()))
    said = [r.getMessage() for r in caplog.records if "cannot use" in r.getMessage()]
    assert len(said) == module.PROBLEMS_BURST
    assert max(map(len, said)) < 1100


async def test_what_overflowed_is_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a member is away, what waits for it is bounded; then it is told everything."""
    monkeypatch.setattr("quorate_operator.pending.PENDING_MAX", 3)
    scene = verified_scene()
    member = told_by([None, Unavailable("away"), Unavailable("away")], calls=6)
    told = relay(member, scene)
    observe = member.observe

    async def observe_and_change(batch: ObservedBatch) -> ObservedAnswer:
        if len(member.sent) == 2:
            for index in range(9):
                scene.put(pod(f"p{index}"))
        return await observe(batch)

    member.observe = observe_and_change  # type: ignore[method-assign]
    await run(told)
    assert [b.sequence for b in member.heard] == [1, 1, 2, 3]
    assert len(member.heard[1].pods) == 9


async def test_one_member_that_is_away_takes_nothing_from_another() -> None:
    """Each has its own list of what it has not heard."""
    scene = verified_scene()
    away, there = told_by([None] + [Unavailable("away")] * 5, calls=6), told_by([], calls=2)
    relays = relay(away, scene), relay(there, scene)
    observe = there.observe

    async def observe_and_change(batch: ObservedBatch) -> ObservedAnswer:
        answer = await observe(batch)
        if batch.sequence == 1:
            scene.model(version="2")
        return answer

    there.observe = observe_and_change  # type: ignore[method-assign]
    await run(relays[0])
    await run(relays[1])
    assert [m["spec"]["version"] for m in there.heard[1].models] == ["2"]
    assert not relays[0].reachable
    assert relays[1].reachable


async def test_a_member_that_went_is_noted_nothing_for() -> None:
    """Neither memory nor gauges of it stay."""
    scene, metrics = verified_scene(), Metrics(CollectorRegistry())
    told = relay(Link("member-7"), scene, metrics)
    name = "quorate_operator_member_heard_timestamp_seconds"
    labels = {"member": "member-7"}
    assert metrics.registry.get_sample_value(name, labels) == 0
    told.close()
    assert metrics.registry.get_sample_value(name, labels) is None
    scene.model(version="2")
    assert not told._pending
