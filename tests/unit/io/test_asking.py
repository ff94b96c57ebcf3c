"""Asking: an outcome within the budget, whatever the channels do."""

import asyncio
import time
from collections.abc import Callable

import pytest

from quorate.consensus import approval, wire
from quorate.consensus.approval import Subject
from quorate.consensus.ask import Cause, Decision, Heard, Refused
from quorate.consensus.keys import KeySignatures
from quorate.consensus.thresholds import Tier
from quorate.errors import Unavailable
from quorate_io import asking
from quorate_io.asking import Asker, Question
from tests.fakes.committee import DENY, FakeCommittee, FakeMember

AUDIENCE = b"a" * 32


class Channel:
    """To a member that may be slow, silent, or talk nonsense."""

    def __init__(self, member: FakeMember) -> None:
        self.member = member
        self.seconds = 0.0
        self.error: Exception | None = None
        self.spoil: Callable[[bytes], bytes] = lambda data: data

    async def exchange(self, message: bytes) -> bytes:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.spoil(self.member.answer(message))


class Watcher:
    def __init__(self) -> None:
        self.votes = 0
        self.refused: list[str] = []

    def heard(self, effect: Heard | Refused) -> None:
        if isinstance(effect, Heard):
            self.votes += 1
        else:
            self.refused.append(effect.member)


class Scene:
    def __init__(self) -> None:
        self.committee = FakeCommittee()
        self.channels = {member.name: Channel(member) for member in self.committee.members}
        self.watcher = Watcher()
        self.asker = Asker(
            self.committee.epoch,
            self.channels,
            AUDIENCE,
            KeySignatures(),
            self.watcher,
            time.monotonic,
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def _question(tier: Tier = Tier.STRICT, budget: float = 1.0, *, veto: bool = False) -> Question:
    return Question(tier, b"send the mail", budget, veto)


async def test_an_approval_comes_with_a_certificate(scene: Scene) -> None:
    """The certificate verifies for the asker's own audience and nonce."""
    outcome = await scene.asker.ask(_question())
    assert outcome.decision is Decision.APPROVE
    assert outcome.certificate is not None
    parsed = wire.decode(outcome.certificate, wire.Certificate)
    ballot = wire.decode(parsed.votes[0].ballot.body, wire.Ballot)
    subject = Subject(wire.request_digest(b"send the mail"), Tier.STRICT, ballot.nonce, AUDIENCE)
    found = approval.verify(outcome.certificate, scene.committee.epoch, subject, KeySignatures())
    assert len(found.voters) == 4


async def test_one_down_one_late_one_lying_changes_nothing(scene: Scene) -> None:
    """Fast: m0 approves anything, m1 is down, m2 comes 500 ms late. Safe passes in time, and
    unsafe does not pass."""
    scene.channels["m1"].error = ConnectionRefusedError()
    scene.channels["m2"].seconds = 0.5
    begin = time.monotonic()
    assert (await scene.asker.ask(_question(Tier.FAST, 0.2))).decision is Decision.APPROVE
    for member in scene.committee.members[1:]:
        member.judgement = DENY
    unsafe = Question(Tier.FAST, b"delete everything", 0.2)
    outcome = await scene.asker.ask(unsafe)
    assert (outcome.decision, outcome.cause) == (Decision.DENY, Cause.NO_QUORUM)
    assert time.monotonic() - begin < 0.4


async def test_silence_ends_at_the_deadline(scene: Scene) -> None:
    """Channels that never answer cost the budget, not more."""
    for channel in scene.channels.values():
        channel.seconds = 60.0
    begin = time.monotonic()
    outcome = await scene.asker.ask(_question(budget=0.1))
    assert (outcome.decision, outcome.cause) == (Decision.DENY, Cause.DEADLINE)
    assert time.monotonic() - begin < 0.5


@pytest.mark.parametrize(
    "spoil", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"x"]
)
async def test_nonsense_is_no_vote(scene: Scene, spoil: Callable[[bytes], bytes]) -> None:
    """Two members that answer nonsense take the quorum away; who it was is said."""
    for name in ("m3", "m4"):
        scene.channels[name].spoil = spoil
    outcome = await scene.asker.ask(_question())
    assert (outcome.decision, outcome.cause) == (Decision.DENY, Cause.NO_QUORUM)
    assert scene.watcher.refused == ["m3", "m4"]


async def test_a_budget_of_nothing_is_a_denial(scene: Scene) -> None:
    """Whoever comes too late asks nobody for permission."""
    outcome = await scene.asker.ask(_question(budget=0.0))
    assert outcome.decision is Decision.DENY


async def test_a_later_epoch_ends_what_was_asked(scene: Scene) -> None:
    """An ask under the old epoch is denied at once."""
    for channel in scene.channels.values():
        channel.seconds = 0.3
    waiting = asyncio.create_task(scene.asker.ask(_question()))
    await asyncio.sleep(0.02)
    scene.asker.open_epoch(scene.committee.epoch, scene.channels)
    outcome = await waiting
    assert (outcome.decision, outcome.cause) == (Decision.DENY, Cause.EPOCH_SUPERSEDED)


async def test_a_member_without_a_channel_is_lost(scene: Scene) -> None:
    """With veto, one that cannot be reached ends it at once."""
    del scene.channels["m4"]
    assert (await scene.asker.ask(_question())).decision is Decision.APPROVE
    outcome = await scene.asker.ask(_question(veto=True))
    assert (outcome.decision, outcome.cause) == (Decision.DENY, Cause.NO_QUORUM)


async def test_late_votes_are_heard(scene: Scene) -> None:
    """What comes after the end counts for nothing and is heard all the same."""
    scene.channels["m4"].seconds = 0.05
    await scene.asker.ask(_question())
    assert scene.watcher.votes == 4
    await asyncio.sleep(0.1)
    assert scene.watcher.votes == 5


async def test_too_many_at_a_time_are_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound an ask is refused at once; when others have ended it may be asked again."""
    monkeypatch.setattr(asking, "UNDER_WAY_MAX", 1)
    for channel in scene.channels.values():
        channel.seconds = 0.05
    first = asyncio.create_task(scene.asker.ask(_question()))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="under way"):
        await scene.asker.ask(_question())
    await first
    assert (await scene.asker.ask(_question())).decision is Decision.APPROVE


@pytest.mark.requirement("2 of 5 down: strict is denied in one round trip")
async def test_who_did_not_answer_is_tried_before_others_are_set_to_work(scene: Scene) -> None:
    """With two down that were down before, a strict ask is denied before any other member is
    asked: on shared cores their judges would take them. They are asked all the same, for whoever
    looks for liars."""
    for name in ("m3", "m4"):
        scene.channels[name].error = ConnectionRefusedError()
    await scene.asker.ask(_question())
    asked: dict[str, bool] = {}

    class Noted(Channel):
        """Notes whether the ask had ended when the member was asked."""

        async def exchange(self, message: bytes) -> bytes:
            asked[self.member.name] = again.done()
            return await super().exchange(message)

    for name, channel in scene.channels.items():
        scene.channels[name] = Noted(channel.member)
        scene.channels[name].error = channel.error
    again = asyncio.create_task(scene.asker.ask(_question()))
    assert (await again).cause is Cause.NO_QUORUM
    await asyncio.sleep(0.1)
    assert asked == {"m3": False, "m4": False, "m0": True, "m1": True, "m2": True}


async def test_who_is_back_is_heard_again(scene: Scene) -> None:
    """That a member did not answer is no reason not to ask it, nor to wait long for it."""
    scene.channels["m3"].error = scene.channels["m4"].error = ConnectionRefusedError()
    assert (await scene.asker.ask(_question())).decision is Decision.DENY
    scene.channels["m3"].error, scene.channels["m4"].seconds = None, 0.5
    scene.channels["m4"].error = None
    begin = time.monotonic()
    assert (await scene.asker.ask(_question())).decision is Decision.APPROVE
    assert time.monotonic() - begin < 0.4


async def test_what_cannot_be_answered_in_time_is_not_sent(scene: Scene) -> None:
    """A loop that is busy until the time is nearly over asks nobody: it would set members to work
    for nothing. The next ask is asked as ever."""
    for channel in scene.channels.values():
        channel.member.judgement = DENY
    late = asyncio.create_task(scene.asker.ask(_question(budget=0.1)))
    await asyncio.sleep(0)
    time.sleep(0.08)  # noqa: ASYNC251 - the loop is to be busy
    assert (await late).decision is Decision.DENY
    assert scene.watcher.votes == 0
    assert (await scene.asker.ask(_question())).decision is Decision.DENY
    assert scene.watcher.votes >= 2
