"""Asks: only of a pod about itself, as the member knows it; what is too much is not read."""

import asyncio
import os
from typing import Any

import msgspec
import pytest

from quorate import names
from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Scope, Target
from quorate.consensus.member import Abstain
from quorate.consensus.request import Principal, Request, Role
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask
from quorate.errors import LimitExceeded, Unavailable
from quorate.policy.intersect import runtime_rules
from quorate.risk.actions import Action, actions, draft
from quorate_consensus import asks as room
from quorate_consensus.asks import Asks, Declined
from quorate_consensus.relay import Relay, read_policy
from quorate_consensus.state_service import PodUnknown
from quorate_consensus.tokens import Caller
from tests.fakes import asking
from tests.fakes.ballots import Committee
from tests.unit.consensus.scene import FILES, POD, Scene, relayed
from tests.unit.consensus.test_unread_models import model as unread_model

SCENE = Scene()
EPOCH = SCENE.members.genesis
DIGEST = read_policy(SCENE.floor()).digest
PRINCIPAL = Principal("team-a", "chat-0", "demo", FILES.digest, (DIGEST,))
CALLER = Caller("system:serviceaccount:team-a:default", "team-a", "chat-0", POD.uid, 2**31)
OTHER = f"sha256:{'9' * 64}"
VOTE = wire.encode(Committee().vote("m0"))


def request(**fields: Any) -> Request:
    """What the pod may ask about itself, with other fields."""
    return asking.request(**({"principal": PRINCIPAL} | fields))


def ask(made: Request | bytes | None = None, **fields: Any) -> bytes:
    """An ask about it."""
    body = made if isinstance(made, bytes) else requests.encode(made or request())
    whole: dict[str, Any] = {
        "version": wire.VERSION,
        "tier": Tier.FAST,
        "epoch": EPOCH.digest,
        "nonce": os.urandom(16),
        "audience": bytes(32),
        "left_ms": 1_000,
        "request": body,
    }
    return wire.encode(Ask(**(whole | fields)))


class Votes:
    """Votes for everything, when it is told to."""

    def __init__(self) -> None:
        self.epoch: Epoch = EPOCH
        self.targets: list[Target] = []
        self.go = asyncio.Event()
        self.go.set()
        self.drained = False
        self.store_broken = ""

    async def ask(self, data: bytes, target: Target) -> bytes:
        self.targets.append(target)
        await self.go.wait()
        return VOTE

    def drain(self) -> None:
        self.drained = True


class Meter:
    def __init__(self) -> None:
        self.asked_: list[tuple[str, str]] = []

    def asked(self, outcome: str, reason: str) -> None:
        self.asked_.append((outcome, reason))


class Desk:
    """The asks of a member that knows SCENE's cluster."""

    def __init__(self, relay: Relay | None = None) -> None:
        self.relay = relay or relayed(SCENE.batch())
        self.votes, self.meter, self.time = Votes(), Meter(), 0.0
        self.asks = Asks(self.votes, self.relay, self.meter, lambda: self.time)
        self.reads = 0

    async def answer(self, data: bytes, caller: Caller = CALLER) -> str:
        """``vote``, or the reason of an abstention."""

        async def read() -> bytes:
            self.reads += 1
            return data

        said = wire.decode_answer(await self.asks.answer(caller, read))
        return said.reason if isinstance(said, Abstention) else "vote"


@pytest.fixture
async def desk() -> Desk:
    """A member that knows the cluster."""
    return Desk()


async def test_a_pod_asks_about_itself(desk: Desk) -> None:
    """It gets a vote; what a freeze must name comes from what the member knows."""
    assert await desk.answer(ask()) == "vote"
    (found,) = desk.votes.targets
    assert found.names == {
        Scope.CAPABILITY: frozenset({"chat"}),
        Scope.TENANT: "team-a",
        Scope.NAMESPACE: "team-a",
        Scope.WORKLOAD: frozenset({"team-a/chat-0", "team-a/chat"}),
        Scope.MODEL_VERSION: FILES.digest,
    }
    assert desk.meter.asked_ == [("approved", "")]


def other(**fields: Any) -> Request:
    """A request of another principal."""
    return request(principal=msgspec.structs.replace(PRINCIPAL, **fields))


@pytest.mark.requirement("wrong audience or principal: an abstention with a counter and a reason")
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (other(namespace="team-b"), Declined.NAMESPACE),
        (other(workload="chat-1"), Declined.WORKLOAD),
        (other(model="other"), Declined.MODEL),
        (other(manifest_digest=OTHER), Declined.MANIFEST),
        (other(policy_digests=(OTHER,)), Declined.POLICIES),
        (other(policy_digests=tuple(sorted((OTHER, DIGEST)))), Declined.POLICIES),
        (request(capability="mail"), Declined.CAPABILITY),
        (request(action_class="read"), Declined.ACTION_CLASS),
        (request(tool="shell"), Declined.CAPABILITY),
        (request(tool="shell", capability="undeclared"), Declined.ACTION_CLASS),
        (request(capability="admission", action_class="certify"), Declined.CERTIFY),
        (b"{}", Declined.REQUEST),
        (b'{"a":1,"a":2}', Declined.REQUEST),
        (requests.encode(request()) + b" ", Declined.REQUEST),
    ],
)
async def test_what_a_request_says_is_held_against_what_is_known(
    desk: Desk, made: Request | bytes, reason: Declined
) -> None:
    """Anything else than is known of that very pod is abstained from, counted, and not judged."""
    assert await desk.answer(ask(made)) == reason
    assert desk.votes.targets == []
    assert desk.meter.asked_ == [("abstained", reason)]


async def test_an_ask_of_an_undeclared_tool_passes(desk: Desk) -> None:
    """With the capability and class that tools have of which nobody said anything."""
    made = request(tool="shell", capability="undeclared", action_class="unknown")
    assert await desk.answer(ask(made)) == "vote"


RISK = {
    "tools": [
        {"name": "send_mail", "capability": "mail", "actionClass": "send"},
        {"name": "files_*", "capability": "files", "actionClass": "write"},
    ],
    "floors": [{"kind": "capability", "name": "mail", "band": "critical"}],
}
CALLS = (
    Wanted("c1", "send_mail", '{"to": "a@example.com"}'),
    Wanted("c2", "files_remove", '{"path": "/a", "force": true}'),
    Wanted("c3", "nobody_declared", "{}"),
)


@pytest.mark.requirement("run-time votes: what a sidecar asks about its pod, members judge")
async def test_what_a_sidecar_drafts_is_what_members_take() -> None:
    """Of a policy's declared tools, of one that nobody declared, and of an answer: by the tables of
    the same policy both come to one capability and class; without them the member abstains."""
    floor = SCENE.floor(risk=RISK)
    compiled = read_policy(floor)
    principal = msgspec.structs.replace(PRINCIPAL, policy_digests=(compiled.digest,))
    tables = runtime_rules((compiled,)).risk
    said = Said(Role.ASSISTANT, "I will do it.", CALLS)
    history = (Said(Role.USER, "Tidy up, and tell them."),)
    desk = Desk(relayed(SCENE.batch(policies=(floor,))))
    other = Desk(relayed(SCENE.batch()))
    drafted = [
        draft(one, history, said, principal)
        for one in actions(history, said, tables, frozenset({"pii"}))
        if isinstance(one, Action)
    ]
    assert len(drafted) == 4
    for made in drafted:
        assert isinstance(made, bytes)
        assert await desk.answer(ask(made)) == "vote"
        assert await other.answer(ask(made)) == Declined.POLICIES
    found = [target.names[Scope.CAPABILITY] for target in desk.votes.targets]
    assert found == [frozenset({name}) for name in ("chat", "mail", "files", "undeclared")]


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"models": ()}, Declined.POD_DENIED),
        ({"policies": ()}, Declined.POD_DENIED),
        (
            {"pods": (msgspec.structs.replace(POD, labels={"app": "chat"}),)},
            Declined.POD_DENIED,
        ),
    ],
)
async def test_a_pod_that_may_not_run_is_not_voted_for(
    batch: dict[str, Any], reason: Declined
) -> None:
    """No model, no policy, no label: there is nothing it could be held to."""
    assert await Desk(relayed(SCENE.batch(**batch))).answer(ask()) == reason


async def test_a_model_that_is_not_read_yet_is_not_voted_for() -> None:
    """Neither yes nor no: the asker asks again."""
    desk = Desk(relayed(SCENE.batch(models=(unread_model(read=False),))))
    assert await desk.answer(ask()) == Declined.NOT_READY


async def test_who_may_not_ask_is_refused(desk: Desk) -> None:
    """A pod that is not protected, a token of an earlier pod of that name, a member that knows no
    cluster yet: an error with a reason, and the body is not read."""
    for caller in (
        Caller("u", "team-a", "chat-1", "pod-uid-2", 2**31),
        Caller("u", "team-a", "chat-1", POD.uid, 2**31),
        Caller("u", "team-b", "chat-0", POD.uid, 2**31),
    ):
        with pytest.raises(PodUnknown):
            await desk.answer(ask(), caller)
    with pytest.raises(Unavailable):
        await Desk(Relay()).answer(ask())
    assert desk.reads == 0
    assert desk.meter.asked_ == [("refused", "PodUnknown")] * 3


async def test_a_pod_that_goes_while_its_ask_comes_gets_no_vote(desk: Desk) -> None:
    """What counts is who it is when the member begins to judge."""

    async def read() -> bytes:
        assert desk.relay.current is not None
        desk.relay.current.pods.clear()
        return ask()

    with pytest.raises(PodUnknown):
        await desk.asks.answer(CALLER, read)
    assert desk.votes.targets == []


async def test_a_member_without_a_voter_abstains() -> None:
    """From everything, unread."""
    asks = Asks(None, relayed(SCENE.batch()), Meter(), lambda: 0.0)

    async def read() -> bytes:
        raise AssertionError

    assert wire.decode_answer(await asks.answer(CALLER, read)) == Abstention(1, "NotVoting")
    asks.drain()


async def test_draining_is_passed_on(desk: Desk) -> None:
    """The state machine says so to each."""
    desk.asks.drain()
    assert desk.votes.drained


@pytest.mark.requirement("back-pressure that sheds to ABSTAIN")
async def test_what_is_too_much_is_shed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pod's share, then everybody's: the rest gets an abstention at once, unread, and places
    come back."""
    monkeypatch.setattr(room, "ASKS_MAX", room.ASKS_PER_POD + 1)
    second = msgspec.structs.replace(POD, uid="pod-uid-2", name="chat-1")
    assert desk.relay.current is not None
    desk.relay.current.put_pod(second)
    other_caller = Caller("u", "team-a", "chat-1", "pod-uid-2", 2**31)
    mine, theirs = ask(), ask(other(workload="chat-1"))
    desk.votes.go.clear()
    waiting = [asyncio.create_task(desk.answer(mine)) for _ in range(room.ASKS_PER_POD)]
    await asyncio.sleep(0)
    assert await desk.answer(mine) == Abstain.OVERLOADED
    waiting.append(asyncio.create_task(desk.answer(theirs, other_caller)))
    await asyncio.sleep(0)
    reads = desk.reads
    assert await desk.answer(theirs, other_caller) == Abstain.OVERLOADED
    assert desk.reads == reads
    desk.votes.go.set()
    assert set(await asyncio.gather(*waiting)) == {"vote"}
    assert await desk.answer(mine) == "vote"


async def test_one_pod_asks_so_often(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More is abstained from until the window ends."""
    for _ in range(room.ASKS_PER_WINDOW):
        assert await desk.answer(ask(b"{}")) == Declined.REQUEST
    assert await desk.answer(ask()) == Declined.TOO_MANY
    desk.time += 10
    assert await desk.answer(ask()) == "vote"


async def test_a_vote_that_does_not_come_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs holds nobody's place for longer than the asker waits."""
    monkeypatch.setattr(room, "LATE_SECONDS", 0.01)
    desk.votes.go.clear()
    assert await desk.answer(ask(left_ms=wire.LEFT_MS_MIN)) == Declined.LATE
    desk.votes.go.set()
    assert await desk.answer(ask()) == "vote"


async def test_without_time_to_judge_there_is_no_verdict(desk: Desk) -> None:
    """No judge is asked, and nothing is kept: with time, the same request is voted on."""
    made = request(arguments={"plot": 7})
    late = ask(made, left_ms=wire.LEFT_MS_MIN - 1)
    assert await desk.answer(late) == Declined.LATE
    assert not desk.votes.targets
    assert await desk.answer(ask(made, left_ms=wire.LEFT_MS_MIN)) == "vote"


async def test_a_body_that_does_not_come_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in an error, and the place is free again."""
    monkeypatch.setattr(room, "BODY_SECONDS", 0.01)
    monkeypatch.setattr(room, "ASKS_PER_POD", 1)

    async def hang() -> bytes:
        await asyncio.sleep(60)
        return b""

    async def large() -> bytes:
        raise LimitExceeded("too large")

    with pytest.raises(TimeoutError):
        await desk.asks.answer(CALLER, hang)
    with pytest.raises(LimitExceeded):
        await desk.asks.answer(CALLER, large)
    assert desk.meter.asked_ == [("refused", "TimeoutError"), ("refused", "LimitExceeded")]
    assert await desk.answer(ask()) == "vote"


async def test_the_model_is_the_pods_own(desk: Desk) -> None:
    """A pod that was told to be another model's since asks about that one, or not at all."""
    assert desk.relay.current is not None
    desk.relay.current.put_pod(msgspec.structs.replace(POD, labels={names.MODEL_LABEL: "gone"}))
    assert await desk.answer(ask()) == Declined.POD_DENIED
