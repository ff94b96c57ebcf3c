"""Voting: asks answered over a real store on disk, with judges that are late, broken or busy."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import epoch as epochs
from quorate.consensus import signing, wire
from quorate.consensus.epoch import Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.freeze import Target
from quorate.consensus.keys import KeySignatures, VoteKey
from quorate.consensus.member import Judgement, Member
from quorate.consensus.thresholds import PRESETS, Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Delegation, Signed, Verdict, Vote
from quorate.keys import LocalSigner
from quorate_consensus import voting as room
from quorate_consensus.votes import store
from quorate_consensus.votes.store import Owner, VoteStore
from quorate_consensus.voting import Voting
from quorate_io.clock import SystemClock
from tests.fakes.ballots import Committee

DIGEST = "sha256:" + "0" * 64
OWNER = Owner("m0", "sha256:key", DIGEST)
APPROVE = Judgement(Verdict.APPROVE, 1)
DENY = Judgement(Verdict.DENY, 900, ("Rule",))


class Panel:
    """Judges that do as the test says."""

    def __init__(self) -> None:
        self.judgement = APPROVE
        self.seconds = 0.0
        self.error: Exception | None = None
        self.asked = 0
        self.prompt = False

    def at_once(self, request: bytes, left_ms: int) -> Judgement | None:
        if not self.prompt:
            return None
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.judgement

    async def judge(self, request: bytes, left_ms: int) -> Judgement:
        self.asked += 1
        judgement = self.judgement
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return judgement


class Meter:
    def __init__(self) -> None:
        self.broken = 0
        self.groups = 0

    def voted(self, judgement: Judgement, seconds: float) -> None:
        assert seconds >= 0

    def stored(self, seconds: float) -> None:
        self.groups += 1

    def not_stored(self) -> None:
        self.broken += 1


class Scene:
    """One member of a committee of one, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.identity = LocalSigner(ed25519.Ed25519PrivateKey.generate())
        self.key = VoteKey()
        self.panel = Panel()
        self.meter = Meter()
        self.epoch = self.make_epoch(DIGEST)
        store.init(directory, OWNER)

    def make_epoch(self, policies: str, number: int = 0) -> Epoch:
        previous, change = (DIGEST, Change.POLICIES) if number else (None, Change.GENESIS)
        seat = Seat("m0", self.identity.public_key.pem, "zone-a", DIGEST)
        admins = Admins((), 1)
        return epochs.open_epoch(
            EpochRecord(
                "c", number, previous, change, "test", (seat,), PRESETS["dev"], admins, policies
            )
        )

    def delegation(self, epoch: Epoch) -> Signed:
        body = wire.encode(Delegation(wire.VERSION, "m0", 1, self.key.public, epoch.digest))
        return Signed(body, self.identity.sign(signing.DELEGATION_TAG + body))

    @contextlib.asynccontextmanager
    async def voting(self) -> AsyncIterator[Voting]:
        member = Member("m0", self.epoch, 1, self.delegation(self.epoch), bytes(32))
        opened = VoteStore(self.directory, OWNER)
        voting = Voting(
            member, opened, self.key, self.panel, SystemClock(), self.meter, time.monotonic
        )
        voting.start()
        try:
            yield voting
        finally:
            await voting.stop()

    def ask(self, request: bytes = b"delete the table", left_ms: int = 1_000) -> bytes:
        nonce, audience = os.urandom(16), bytes(32)
        digest = self.epoch.digest
        return wire.encode(
            Ask(wire.VERSION, Tier.STRICT, digest, nonce, audience, left_ms, request)
        )

    def read(self, answer: bytes) -> Ballot:
        vote = wire.decode_answer(answer)
        assert isinstance(vote, Vote), vote
        ballot, _ = signing.verify_vote(vote, self.epoch, KeySignatures())
        return ballot


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "votes")


def _reason(answer: bytes) -> str:
    abstention = wire.decode_answer(answer)
    assert isinstance(abstention, Abstention)
    return abstention.reason


async def test_an_ask_is_answered_with_a_signed_vote(scene: Scene) -> None:
    """The vote verifies under the epoch, and is on disk when it is sent."""
    async with scene.voting() as voting:
        ballot = scene.read(await voting.ask(scene.ask(), Target({})))
        assert (ballot.verdict, ballot.sequence) == (Verdict.APPROVE, 1)
        found = VoteStore(scene.directory, OWNER)
        found.open_epoch(scene.epoch.digest)
        assert found.find(scene.epoch.digest, (ballot.request, Tier.STRICT)) == APPROVE


@pytest.mark.parametrize(
    ("error", "seconds", "reason"),
    [
        (RuntimeError("judge"), 0.0, "JudgeFailed"),
        (TimeoutError("inside"), 0.0, "JudgeLate"),
        (None, 5.0, "JudgeLate"),
    ],
)
async def test_a_judge_that_fails_or_is_late_denies(
    scene: Scene, error: Exception | None, seconds: float, reason: str
) -> None:
    """An error is this member's DENY, and comes within the asker's time."""
    scene.panel.error, scene.panel.seconds = error, seconds
    async with scene.voting() as voting:
        begin = time.monotonic()
        ballot = scene.read(await voting.ask(scene.ask(left_ms=200), Target({})))
        assert time.monotonic() - begin < 2
        assert (ballot.verdict, ballot.reasons) == (Verdict.DENY, (reason,))


async def test_the_same_request_is_judged_once(scene: Scene) -> None:
    """Many at a time wait for one judgement; later ones get what was said, also after a restart,
    and even if the judges have changed their mind."""
    scene.panel.judgement, scene.panel.seconds = DENY, 0.05
    async with scene.voting() as voting:
        answers = await asyncio.gather(*(voting.ask(scene.ask(), Target({})) for _ in range(20)))
        ballots = [scene.read(answer) for answer in answers]
        assert {ballot.verdict for ballot in ballots} == {Verdict.DENY}
        assert sorted(ballot.sequence for ballot in ballots) == list(range(1, 21))
    scene.panel.judgement = APPROVE
    async with scene.voting() as voting:
        assert scene.read(await voting.ask(scene.ask(), Target({}))).verdict is Verdict.DENY
    assert scene.panel.asked == 1


async def test_a_disk_that_fails_silences_the_member(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vote that cannot be kept is not said, nor is any later one; and the operator hears why."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async with scene.voting() as voting:
        monkeypatch.setattr(os, "fdatasync", full)
        assert _reason(await voting.ask(scene.ask(), Target({}))) == "VoteNotStored"
        monkeypatch.undo()
        assert _reason(await voting.ask(scene.ask(b"another"), Target({}))) == "VoteNotStored"
    assert scene.meter.broken == 1
    assert voting.store_broken == "No space left on device"


async def test_an_epoch_change_answers_everybody(scene: Scene) -> None:
    """Asks under judgement get an abstention at once; the next are voted on in the new epoch."""
    scene.panel.seconds = 0.3
    async with scene.voting() as voting:
        waiting = asyncio.create_task(voting.ask(scene.ask(), Target({})))
        await asyncio.sleep(0.05)
        later = scene.make_epoch("sha256:" + "1" * 64, number=1)
        await voting.open_epoch(later, scene.delegation(later))
        assert _reason(await waiting) == "OtherEpoch"
        assert _reason(await voting.ask(scene.ask(), Target({}))) == "OtherEpoch"
        scene.epoch = later
        assert scene.read(await voting.ask(scene.ask(), Target({}))).sequence == 1


async def test_what_is_said_while_an_epoch_opens_is_kept(scene: Scene) -> None:
    """An ask of the new epoch that comes before the old log is closed goes to the new one."""
    scene.panel.judgement = DENY
    later = scene.make_epoch("sha256:" + "1" * 64, number=1)
    async with scene.voting() as voting:
        assert scene.read(await voting.ask(scene.ask(), Target({}))).verdict is Verdict.DENY
        opening = asyncio.create_task(voting.open_epoch(later, scene.delegation(later)))
        await asyncio.sleep(0)
        assert not opening.done()
        scene.epoch = later
        answers = [voting.ask(scene.ask(), Target({})) for _ in range(3)]
        async with asyncio.timeout(5):
            ballots = [scene.read(answer) for answer in await asyncio.gather(*answers)]
        await opening
        assert {ballot.epoch for ballot in ballots} == {later.digest}
        found = VoteStore(scene.directory, OWNER)
        found.open_epoch(later.digest)
        assert found.find(later.digest, (ballots[0].request, Tier.STRICT)) == DENY


async def test_what_fails_in_a_log_that_is_over_breaks_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses the log of the epoch before says nothing about the next."""
    scene.panel.judgement = DENY
    later = scene.make_epoch("sha256:" + "1" * 64, number=1)
    async with scene.voting() as voting:
        slow = threading.Event()

        def refused(descriptor: int) -> None:
            slow.wait(5)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", refused)
        waiting = asyncio.create_task(voting.ask(scene.ask(), Target({})))
        await asyncio.sleep(0.05)
        opening = asyncio.create_task(voting.open_epoch(later, scene.delegation(later)))
        slow.set()
        assert _reason(await waiting) == "OtherEpoch"
        await opening
        monkeypatch.undo()
        scene.epoch = later
        assert scene.read(await voting.ask(scene.ask(), Target({}))).verdict is Verdict.DENY
    assert scene.meter.broken == 0


async def test_an_epoch_opens_once(scene: Scene) -> None:
    """One that was opened, or one before it, changes nothing."""
    async with scene.voting() as voting:
        await voting.open_epoch(scene.epoch, scene.delegation(scene.epoch))
        assert scene.read(await voting.ask(scene.ask(), Target({}))).sequence == 1
    assert scene.meter.groups == 1


async def test_stopping_answers_what_is_under_way(scene: Scene) -> None:
    """Draining lets asks end, and takes no new ones."""
    scene.panel.seconds = 0.1
    async with scene.voting() as voting:
        waiting = asyncio.create_task(voting.ask(scene.ask(), Target({})))
        await asyncio.sleep(0.02)
        stopping = asyncio.create_task(voting.stop())
        await asyncio.sleep(0)
        assert _reason(await voting.ask(scene.ask(b"new"), Target({}))) == "Draining"
        assert scene.read(await waiting).verdict is Verdict.APPROVE
        await stopping
        voting.start()


def test_late_and_failed_look_dangerous() -> None:
    """What was not judged scores as the worst."""
    assert room.JUDGE_LATE.score == room.JUDGE_FAILED.score == wire.SCORE_MAX


async def test_a_judgement_at_once_is_kept_before_it_is_said(tmp_path: Path) -> None:
    """What needs no waiting goes the same way: to the disk, then to whoever asked, and stays."""
    scene = Scene(tmp_path)
    scene.panel.prompt = True
    async with scene.voting() as voting:
        assert scene.read(await voting.ask(scene.ask(), Target({}))).verdict is Verdict.APPROVE
        assert scene.meter.groups == 1
        scene.panel.judgement = DENY
        assert scene.read(await voting.ask(scene.ask(), Target({}))).verdict is Verdict.APPROVE
        assert scene.panel.asked == 1
        scene.panel.error = ValueError("a judge broke")
        ballot = scene.read(await voting.ask(scene.ask(b"another"), Target({})))
        assert (ballot.verdict, ballot.reasons) == (Verdict.DENY, (wire.JUDGE_FAILED,))


@pytest.mark.requirement("committee: a shadow vote can never become an approval")
@pytest.mark.parametrize("away", [True, False])
async def test_the_judges_go_by_the_epoch_that_the_ballot_names(
    tmp_path: Path, *, away: bool
) -> None:
    """Those that know nothing of the cluster speak only where the vote counts for nothing."""
    committee = Committee(quarantined=["m0"] if away else [])
    store.init(tmp_path / "votes", OWNER)
    whole, reading = Panel(), Panel()
    voting = Voting(
        Member("m0", committee.epoch, 1, committee.delegation("m0"), bytes(32)),
        VoteStore(tmp_path / "votes", OWNER),
        committee.parties["m0"].vote_key,
        whole,
        SystemClock(),
        Meter(),
        time.monotonic,
        reading,
    )
    voting.start()
    ask = Ask(wire.VERSION, Tier.STRICT, committee.epoch.digest, bytes(16), bytes(32), 1_000, b"r")
    assert isinstance(wire.decode_answer(await voting.ask(wire.encode(ask), Target({}))), Vote)
    assert (whole.asked, reading.asked) == ((0, 1) if away else (1, 0))

    record = committee.next_record(Change.POLICIES, policies=DIGEST)
    seats = committee.seats(m0={"quarantined": not away})
    committee.open(msgspec.structs.replace(record, seats=seats))
    await voting.open_epoch(committee.epoch, committee.delegation("m0"))
    ask = msgspec.structs.replace(ask, epoch=committee.epoch.digest)
    await voting.ask(wire.encode(ask), Target({}))
    assert (whole.asked, reading.asked) == (1, 1)
    await voting.stop()
