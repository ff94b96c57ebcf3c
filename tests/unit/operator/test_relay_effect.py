import asyncio
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from quorate.errors import QuorateError, Unavailable
from quorate_io.member_api import ErrorBody, ObservedAnswer, ObservedBatch
from quorate_io.member_client import MemberClient, MemberRefused
from quorate_operator.effects import relay as module
from quorate_operator.effects.relay import Relay
from quorate_operator.metrics import Metrics
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FixedClock, Monotonic
from tests.unit.operator.scene import Scene, verified_scene


class Stop(Exception):
    """The test has seen enough."""


class Member:
    """Hears batches, and fails as it is told to, one failure a call."""

    def __init__(self, failures: list[QuorateError | None], calls: int) -> None:
        self.heard: list[ObservedBatch] = []
        self.sent: list[ObservedBatch] = []
        self._failures = failures
        self._calls = calls

    async def observe(self, batch: ObservedBatch) -> ObservedAnswer:
        """Take a batch in."""
        if len(self.sent) >= self._calls:
            raise Stop
        self.sent.append(batch)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.heard.append(batch)
        return ObservedAnswer(session=batch.session, sequence=batch.sequence, ready=True)


def refusal(status: int, reason: str) -> MemberRefused:
    """An error a member answers."""
    return MemberRefused(status, ErrorBody(reason=reason, message="no"))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and retries in milliseconds."""
    for name in ("HEARTBEAT", "DEBOUNCE", "RETRY_FIRST", "RETRY_MAX"):
        monkeypatch.setattr(module, name, 0.001)


def relay(member: Member, scene: Scene) -> Relay:
    """A relay to this member."""
    metrics = Metrics(CollectorRegistry())
    client = cast(MemberClient, member)
    return Relay(client, scene.world, FixedClock(NOW), metrics, Monotonic())


async def run(relay_: Relay) -> None:
    """Run until the member has seen enough."""
    with pytest.raises(Stop):
        async with asyncio.timeout(10):
            await relay_.run()


async def test_everything_first_then_heartbeats() -> None:
    """One session, numbered without a gap."""
    member = Member([], calls=4)
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
    failures = [None, None, refusal(status, "ResyncNeeded")]
    member = Member(failures, calls=5)  # type: ignore[arg-type]
    await run(relay(member, verified_scene()))
    assert [b.sequence for b in member.heard] == [1, 2, 1, 2]
    assert member.heard[0].session != member.heard[2].session
    assert member.heard[2].reset
    assert member.heard[2].models


async def test_batch_without_an_answer_is_sent_again() -> None:
    """It may have been heard: the same batch goes out until it is answered, and nothing is lost."""
    scene = verified_scene()
    member = Member([None, Unavailable("away"), refusal(503, "Overloaded"), None], calls=5)
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
    member = Member([Unavailable("away")] * 3, calls=3)
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
    member = Member([], calls=3)
    told = relay(member, scene)
    looks = iter([True] * 5 + [False] * 100)
    told.blind = lambda: next(looks)
    await run(told)
    assert [b.sequence for b in member.heard] == [1, 2, 3]
    assert len(list(looks)) < 100


async def test_changes_made_during_the_session_follow_it() -> None:
    """What arrives while everything is being told goes out right after."""
    scene = verified_scene()
    member = Member([], calls=2)
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
