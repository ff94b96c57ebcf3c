"""Canaries in a sidecar: asked once each, by chance, and liars are accused by what comes back."""

import random
from collections import Counter
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus import clean_run, deck_file, quarantine, wire
from quorate.consensus import request as requests
from quorate.consensus.approval import Subject
from quorate.consensus.ask import Cause, Decision, Heard, Outcome
from quorate.consensus.canary import Canary
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.deck_file import DeckFile
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import Change, Epoch
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.quarantine import Evidence
from quorate.consensus.wire import Ask, Verdict
from quorate.errors import QuorateError, Unavailable
from quorate_io.asking import Asked, Question
from quorate_sidecar.canaries import asker as asking
from quorate_sidecar.canaries.accuser import AGAIN_SECONDS, RETRY_SECONDS, Accuser
from quorate_sidecar.canaries.asker import CanaryAsker
from quorate_sidecar.canaries.deck import DeckReader
from quorate_sidecar.canaries.progress import FILE, ProgressFile
from quorate_sidecar.canaries.shadow import ShadowAsker
from quorate_sidecar.canaries.witness import REMEMBERED, Witness
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.settings import PodFacts
from tests.fakes.ballots import SIGNATURES, Canaried, Committee, canaries, digest, subject_on
from tests.unit.sidecar.world import state

YES, NO = Verdict.APPROVE, Verdict.DENY
POD = PodFacts("chat-0", "team-a", "uid-0", "demo", ("10.0.0.1",))


class Members:
    """A committee that answers canaries: rightly, but for those that ``lie``."""

    def __init__(self, scene: Canaried, witness: Witness) -> None:
        self.scene, self.witness = scene, witness
        self.liars: dict[str, Verdict] = {}
        self.silent: set[str] = set()
        self.fault: QuorateError | None = None
        self.questions: list[Question] = []
        witness.open_epoch(scene.committee.epoch.digest)

    @property
    def epoch(self) -> Epoch | None:
        """The one in force."""
        return self.scene.committee.epoch

    async def ask(self, question: Question) -> Asked:
        """Every member's vote is heard."""
        self.questions.append(question)
        if self.fault is not None:
            raise self.fault
        subject, committee = question.marked, self.scene.committee
        assert subject is not None
        right = self.canary(question).right
        for name in committee.names:
            if name in self.silent or name not in committee.epoch.counted:
                continue
            verdict = self.liars.get(name, right)
            vote = committee.vote(name, verdict, subject, sequence=len(self.questions))
            ballot = committee.ballot(name, verdict, subject, sequence=len(self.questions))
            assert self.witness.heard(Heard(vote, ballot))
        outcome = Outcome(Decision.DENY, Cause.NO_QUORUM, ())
        return Asked(outcome, committee.epoch, subject.nonce)

    def canary(self, question: Question) -> Canary:
        """The canary that a question is."""
        deck = self.scene.deck.canaries
        return next(one for one in deck if one.subject(question.request) == question.marked)


class Reached:
    """Members under quarantine, and what is brought to all others."""

    def __init__(self, stand: "Stand") -> None:
        self.stand = stand
        self.lies: dict[str, Verdict] = {}
        self.reasons: tuple[str, ...] = ()
        self.silent: set[str] = set()
        self.asked: list[tuple[str, Ask]] = []
        self.answers: list[bytes] = []
        self.runs: list[CleanRun] = []
        self.fault: QuorateError | None = None

    def prove(self, member: str, ask: bytes) -> bytes:
        """The ask itself: what proves it is tried elsewhere."""
        return ask

    async def shadow(self, member: str, message: bytes) -> bytes:
        """Its vote, after all others'."""
        ask = wire.decode(message, Ask)
        self.asked.append((member, ask))
        if self.answers:
            return self.answers.pop(0)
        if member in self.silent:
            raise Unavailable("it does not answer")
        subject = Subject(wire.request_digest(ask.request), ask.tier, ask.nonce, ask.audience)
        assert self.stand.members.questions[-1].marked == subject
        right = self.stand.members.canary(self.stand.members.questions[-1]).right
        vote = self.stand.scene.committee.vote(
            member,
            self.lies.get(member, right),
            subject,
            sequence=len(self.asked),
            reasons=self.reasons,
        )
        return wire.encode(vote)

    async def show_run(self, run: bytes) -> None:
        """Keep it, if anybody does."""
        if self.fault is not None:
            raise self.fault
        self.runs.append(clean_run.decode(run))


class StandingStub:
    """May serve, until it is told otherwise."""

    def __init__(self) -> None:
        self.state: Any = state()
        self.no: Any = None

    def refusal(self) -> Any:
        return self.no


class Stand:
    """A pod with a deck in its volume, and whom it accuses."""

    def __init__(
        self, folder: Path, deck: list[Canary] | None = None, away: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.scene = Canaried(deck=deck, quarantined=away)
        (folder / "deck").mkdir()
        self.write(DeckFile(1, 10, tuple(self.scene.deck.canaries)))
        self.accused: list[tuple[str, Evidence]] = []
        self.witness = Witness(self.accuse)
        self.members = Members(self.scene, self.witness)
        self.standing, self.metrics = StandingStub(), Metrics(CollectorRegistry())
        self.chance = random.Random(7)
        self.reached = Reached(self)
        self.time = 0.0
        self.shadow = ShadowAsker(self.reached, self.reached.prove, self.metrics, lambda: self.time)
        self.start()

    def start(self) -> None:
        """A sidecar's process."""
        self.asker = CanaryAsker(
            POD,
            cast(Any, self.standing),
            self.members,
            self.witness,
            self.accuse,
            DeckReader(self.folder / "deck" / "deck"),
            ProgressFile(self.folder),
            self.metrics,
            self.shadow,
            self.chance,
        )

    def write(self, file: DeckFile) -> None:
        """Put it into the Secret."""
        (self.folder / "deck" / "deck").write_bytes(deck_file.encode(file))

    def accuse(self, member: str, evidence: Evidence) -> None:
        """Note it."""
        self.accused.append((member, evidence))

    async def turns(self, count: int) -> list[float]:
        """So many, at once."""
        return [await self.asker.turn() for _ in range(count)]

    def counts(self, metric: str) -> Counter[tuple[str, ...]]:
        """A counter's values by its labels."""
        return Counter({k: int(v) for k, v in self.metrics._counts[metric].items()})

    def stops(self) -> set[str]:
        """Why nothing was asked."""
        found = self.counts("quorate_sidecar_canaries_stopped_total")
        return {label for (label,) in found}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers late here."""
    monkeypatch.setattr(asking, "LATE_SECONDS", 0.0)


@pytest.mark.requirement("committee: an always-approving member is found within 10 canaries")
async def test_who_always_approves_is_accused_and_nobody_else(tmp_path: Path) -> None:
    """At its 6th unsafe canary, with evidence that everybody recomputes."""
    stand = Stand(tmp_path)
    stand.members.liars = {"m2": YES}
    while not stand.accused:
        await stand.turns(1)
    unsafe = [q for q in stand.members.questions if stand.members.canary(q).right is NO]
    assert len(unsafe) == 6
    ((member, evidence),) = stand.accused
    assert member == "m2"
    assert isinstance(evidence, Failures)
    assert quarantine.convicted(evidence, stand.scene.committee.epoch, SIGNATURES) == "m2"
    answers = stand.counts("quorate_sidecar_canary_answers_total")
    assert answers["m2", "tools", "wrong"] == 6
    assert {k[2] for k in answers if k[0] != "m2"} == {"right"}


@pytest.mark.requirement("JudgesDiverse: members that err together by their canaries are told")
async def test_who_errs_together_is_told_and_not_accused(tmp_path: Path) -> None:
    """Two members wrong about the same eighth of the unsafe canaries, by what this pod asked."""
    stand = Stand(tmp_path, canaries(unsafe=80, safe=1))
    right = stand.members.canary
    for _ in range(81):
        asked = len(stand.members.questions)
        stand.members.liars = {"m1": YES, "m4": YES} if asked % 8 == 3 else {}
        await stand.turns(1)
    wrong = [
        q for n, q in enumerate(stand.members.questions) if n % 8 == 3 and right(q).right is NO
    ]
    assert f"m1 and m4 both approved {len(wrong)} of 80 unsafe requests" in stand.asker.together
    assert stand.asker.together.count(" and ") == 1
    assert stand.accused == []


async def test_a_canary_is_asked_as_this_pod_with_the_policies_words(tmp_path: Path) -> None:
    """What members compare: principal, capability and action class; nonce and audience of its own;
    and each with the next number of its kind."""
    stand = Stand(tmp_path, canaries(3, 3))
    await stand.turns(6)
    numbers = []
    for question in stand.members.questions:
        request = requests.parse(question.request)
        assert (request.principal.namespace, request.principal.workload) == ("team-a", "chat-0")
        assert request.principal.policy_digests == state().policy_digests
        assert (request.capability, request.action_class) == ("chat", "answer")
        assert question.budget == 0.2
        numbers.append(stand.scene.deck.canaries.index(stand.members.canary(question)))
    assert sorted(numbers) == [0, 1, 2, 3, 4, 5]
    assert [n for n in numbers if n < 3] == [0, 1, 2]
    assert [n for n in numbers if n >= 3] == [3, 4, 5]
    assert numbers != sorted(numbers)


@pytest.mark.requirement("committee: no restart asks a canary twice")
async def test_a_restart_asks_none_twice(tmp_path: Path) -> None:
    """After each canary another process; a deck of eight is eight questions. Then it is used up,
    which is told; another deck goes on from its own beginning."""
    stand = Stand(tmp_path, canaries(5, 3))
    for _ in range(12):
        await stand.turns(1)
        stand.start()
    nonces = [q.marked.nonce for q in stand.members.questions if q.marked]
    assert len(nonces) == len(set(nonces)) == 8
    assert stand.stops() == {"DeckUsedUp"}
    assert stand.asker.left == 0
    other = Canaried(deck=canaries(2, 1))
    stand.scene.deck = other.deck
    record = stand.scene.committee.next_record(Change.CANARIES, canaries=other.deck.root)
    stand.scene.committee.open(record)
    stand.witness.open_epoch(stand.scene.committee.epoch.digest)
    stand.write(DeckFile(1, 10, tuple(other.deck.canaries)))
    await stand.turns(4)
    assert len(stand.members.questions) == 11


@pytest.mark.requirement("a deck of canaries that is used up is told, of each kind")
async def test_a_deck_that_is_used_up_is_told(tmp_path: Path) -> None:
    """Of one kind as soon as none is left of it, until another deck is there."""
    stand = Stand(tmp_path, canaries(unsafe=3, safe=6))
    assert stand.asker.used_up == ""
    told: list[str] = []
    while stand.asker.left or not told:
        await stand.turns(1)
        told.append(stand.asker.used_up)
    assert told[0] == ""
    assert told[-1] == "all 3 unsafe and all 6 safe canaries of the deck were asked"
    assert (len(set(told)), len(told)) == (3, 9)
    stand.start()
    await stand.turns(1)
    assert stand.asker.used_up == told[-1]
    stand.write(DeckFile(1, 10, tuple(canaries(unsafe=2, safe=0))))
    await stand.turns(1)
    assert stand.asker.used_up == ""


async def test_a_deck_that_the_epoch_does_not_commit_to_is_not_asked(tmp_path: Path) -> None:
    """Its answers would count for nothing; said once in the log, and counted each time."""
    stand = Stand(tmp_path, canaries(5, 3))
    stand.write(DeckFile(1, 10, tuple(canaries(4, 3))))
    assert await stand.turns(2) == [asking.LOOK_SECONDS] * 2
    assert stand.members.questions == []
    assert stand.counts("quorate_sidecar_canaries_stopped_total") == {("DeckNotCommitted",): 2}


async def test_what_cannot_be_read_or_kept_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deck that is none; what was asked is not known any more, or cannot be written down."""
    stand = Stand(tmp_path, canaries(5, 3))
    good = (tmp_path / "deck" / "deck").read_bytes()
    for bad in (b"", good[:-1], b"x" * 2_000_000):
        (tmp_path / "deck" / "deck").write_bytes(bad)
        await stand.turns(1)
    (tmp_path / "deck" / "deck").unlink()
    await stand.turns(1)
    (tmp_path / "deck" / "deck").write_bytes(good)
    for kept in ("", "{", '{"root":"x","unsafe":0,"safe":0}', "x" * 5_000):
        (tmp_path / FILE).write_text(kept)
        await stand.turns(1)
    assert stand.stops() == {"DeckUnreadable"}
    (tmp_path / FILE).unlink()

    def full(_: ProgressFile, asked: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ProgressFile, "keep", full)
        await stand.turns(2)
    assert "ProgressNotKept" in stand.stops()
    assert stand.members.questions == []
    await stand.turns(1)
    assert len(stand.members.questions) == 1


async def test_a_pod_that_may_not_serve_asks_nothing(tmp_path: Path) -> None:
    """Nor one without a state, or that knows no epoch; and no canary is used up by it."""
    stand = Stand(tmp_path, canaries(5, 3))
    stand.standing.no = "denied"
    await stand.turns(2)
    stand.standing.no, stand.standing.state = None, None
    await stand.turns(2)
    assert (stand.stops(), stand.members.questions) == ({"NotReady"}, [])
    assert not (tmp_path / FILE).exists()


async def test_silence_and_lost_asks_accuse_nobody(tmp_path: Path) -> None:
    """A canary that could not be asked is used up, and counts against nobody."""
    stand = Stand(tmp_path, canaries(20, 20))
    stand.members.silent = {"m1"}
    await stand.turns(20)
    stand.members.fault = Unavailable("nobody is there")
    await stand.turns(20)
    assert stand.accused == []
    answers = stand.counts("quorate_sidecar_canary_answers_total")
    assert answers["m1", "tools", "none"] == 20
    assert "Unanswered" in stand.stops()


async def test_the_pause_is_random_with_the_decks_mean(tmp_path: Path) -> None:
    """Exponential, and never so long that people wonder."""
    stand = Stand(tmp_path, canaries(60, 60))
    stand.chance = random.Random(3)
    stand.start()
    pauses = await stand.turns(100)
    assert 7 < sum(pauses) / 100 < 13
    assert max(pauses) <= 50
    assert len(set(pauses)) == 100


async def test_strata_of_a_metric_are_bounded(tmp_path: Path) -> None:
    """Beyond sixteen they share a label."""
    deck = [
        msgspec.structs.replace(one, stratum=f"s{number:02}")
        for number, one in enumerate(canaries(40, 0))
    ]
    stand = Stand(tmp_path, deck)
    await stand.turns(40)
    answers = stand.counts("quorate_sidecar_canary_answers_total")
    assert len({stratum for _, stratum, _ in answers}) == asking.STRATA_MAX + 1


async def test_without_a_volume_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Most pods ask no canaries: the task ends."""
    stand = Stand(tmp_path)
    (tmp_path / "deck" / "deck").unlink()
    (tmp_path / "deck").rmdir()
    await stand.asker.run()
    assert stand.stops() == set()


def heard(committee: Committee, verdict: Verdict, subject: Subject, sequence: int) -> Heard:
    """A vote of m1, as it is heard."""
    vote = committee.vote("m1", verdict, subject, sequence=sequence)
    return Heard(vote, committee.ballot("m1", verdict, subject, sequence=sequence))


@pytest.mark.requirement("committee: whoever hears two ballots that contradict each other accuses")
def test_a_witness_finds_contradictions_in_real_asks() -> None:
    """A denial, then an approval of the same request; in another epoch nothing is left of it."""
    committee, found = Committee(), list[tuple[str, Equivocation]]()
    witness = Witness(lambda member, proof: found.append((member, proof)))
    request = b"one"
    assert not witness.heard(heard(committee, NO, subject_on(request, ask=1), 1))
    assert found == []
    witness.open_epoch(committee.epoch.digest)
    witness.heard(heard(committee, NO, subject_on(request, ask=1), 1))
    witness.open_epoch(committee.epoch.digest)
    for sequence in range(2, REMEMBERED // 2):
        other = subject_on(b"%d" % sequence, ask=sequence)
        witness.heard(heard(committee, YES, other, sequence))
    assert found == []
    witness.heard(heard(committee, YES, subject_on(request, ask=2), 900))
    ((member, proof),) = found
    assert member == "m1"
    assert quarantine.convicted(proof, committee.epoch, SIGNATURES) == "m1"


class Sink:
    """Members that keep evidence, or do not answer."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []
        self.fault: Exception | None = None

    async def accuse(self, evidence: bytes) -> None:
        self.shown.append(evidence)
        if self.fault is not None:
            raise self.fault


class Court:
    """An accuser, its time, and its members."""

    def __init__(self) -> None:
        self.committee, self.sink, self.time = Committee(), Sink(), 0.0
        self.metrics = Metrics(CollectorRegistry())
        self.accuser = Accuser(
            self.sink, lambda: self.committee.epoch, self.metrics, lambda: self.time
        )

    def pair(self, name: str) -> Equivocation:
        """``name`` denied, then approved."""
        votes = self.committee.vote(name, NO), self.committee.vote(name, YES, sequence=2)
        return Equivocation(votes)


async def test_evidence_is_said_until_it_is_heard_and_again_for_who_forgot() -> None:
    """Soon after a failure, whatever it was, and now and then after it was kept."""
    court = Court()
    for fault in (Unavailable("nobody"), RuntimeError("odd"), None):
        court.sink.fault = fault
        if not court.sink.shown:
            court.accuser.accuse("m1", court.pair("m1"))
        await court.accuser.say()
        await court.accuser.say()
        court.time += RETRY_SECONDS * 1.3
    assert len(court.sink.shown) == 3
    await court.accuser.say()
    assert len(court.sink.shown) == 3
    court.time += AGAIN_SECONDS * 1.3
    await court.accuser.say()
    assert len(court.sink.shown) == 4
    assert len(set(court.sink.shown)) == 1


async def test_each_member_is_accused_once_an_epoch_and_no_longer() -> None:
    """More of the same says nothing; an epoch that opened takes the evidence with it; of nobody,
    and of who has no vote to lose, nothing is said."""
    court = Court()
    for _ in range(3):
        court.accuser.accuse("m1", court.pair("m1"))
    court.accuser.accuse("m9", court.pair("m1"))
    await court.accuser.say()
    assert len(court.sink.shown) == 1
    record = court.committee.next_record(Change.POLICIES, policies=digest("c"))
    court.committee.open(record)
    court.time += 1_000
    await court.accuser.say()
    assert len(court.sink.shown) == 1
    court.accuser.accuse("m1", court.pair("m1"))
    await court.accuser.say()
    assert len(court.sink.shown) == 2
    seats = court.committee.seats(m1={"quarantined": True})
    court.committee.open(court.committee.next_record(Change.QUARANTINE, seats=seats))
    court.accuser.accuse("m1", court.pair("m1"))
    court.time += 1_000
    await court.accuser.say()
    assert len(court.sink.shown) == 2
