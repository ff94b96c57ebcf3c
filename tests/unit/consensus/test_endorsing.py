"""A member's part in the chain: it signs one record for a number, after people, and keeps that."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus import epoch as epochs
from quorate.consensus import quarantine
from quorate.consensus.chain import Objection
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import RECORD_TAG, Change, EpochRecord
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, Unavailable
from quorate.genesis import NO_POLICIES
from quorate.policy import in_force
from quorate_consensus import doubts
from quorate_consensus.choice_file import NAME, Choice, ChoiceFile
from quorate_consensus.doubts import Why
from quorate_consensus.endorsing import Endorsing, EpochRefused
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.metrics import Metrics
from quorate_consensus.relay import Relay, read_batch, read_policy
from quorate_consensus.vote_key import VoteKey
from quorate_io import member_api
from quorate_io.member_api import EpochsRequest, ObservedBatch, Proposal, ProposeAnswer
from tests.fakes.ballots import SIGNATURES, Canaried, Committee, digest
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import Scene
from tests.unit.consensus.test_quarantine import equivocation


class Place:
    """Member ``name`` of a committee, with its directory, as it starts and starts again."""

    def __init__(self, directory: Path | None, committee: Committee, name: str = "m0") -> None:
        self.committee = committee
        self.name = name
        self.directory = directory
        self.genesis = committee.epoch
        self.relay = Relay()
        self.workers = ThreadPoolExecutor(1)
        self.start()

    def start(self) -> None:
        """As its process starts."""
        self.registry = CollectorRegistry()
        files = ChainFiles(self.directory) if self.directory is not None else None
        choice = ChoiceFile(self.directory) if self.directory is not None else None
        self.epochs = Epochs(self.genesis, files)
        seat = self.genesis.seat(self.name)
        assert seat is not None
        party = self.committee.parties[self.name]
        key = VoteKey(seat, party.private, party.identity)
        meter = Metrics(self.registry)
        self.endorsing = Endorsing(key, self.epochs, self.relay, self.workers, meter, choice)

    def proposal(self, record: EpochRecord, admins: int = 2, evidence: bytes = b"") -> Proposal:
        """As the operator brings it, signed by so many administrators."""
        return Proposal(
            record=record,
            admins=self.committee.endorse(record, 0, admins).admins,
            evidence=evidence,
        )

    async def ask(self, record: EpochRecord, admins: int = 2, evidence: bytes = b"") -> str:
        """Why it does not sign; empty if it does, and what it signs verifies."""
        answer = await self.endorsing.propose(self.proposal(record, admins, evidence))
        if answer.declined is not None:
            assert answer.endorsement is None
            assert answer.declined.message
            return answer.declined.reason
        assert answer.endorsement is not None
        seat = self.epochs.head.seat(self.name)
        assert seat is not None
        data = RECORD_TAG + epochs.encode(record)
        assert SIGNATURES.by_identity(seat.key, answer.endorsement.signature, data)
        return ""

    def canaries(self, char: str) -> EpochRecord:
        """A record that commits to other canaries."""
        return self.committee.next_record(Change.CANARIES, canaries=digest(char))

    def certified(self, char: str) -> CertifiedRecord:
        """The same, with the signatures that make it count."""
        return self.committee.endorse(self.canaries(char), 4, 2)

    def count(self, outcome: str, reason: str = "") -> float | None:
        """The metric."""
        name = "quorate_member_epoch_proposals_total"
        return self.registry.get_sample_value(name, {"outcome": outcome, "reason": reason})


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """m0 at the genesis."""
    place = Place(tmp_path / "epochs", Committee())
    yield place
    await place.endorsing.stop()
    place.workers.shutdown()


@pytest.mark.requirement("committee: at most one record is signed for each number")
async def test_one_record_for_a_number_also_after_a_restart(place: Place) -> None:
    """The first that holds up is signed, however often; another one for the number is not, before
    a restart or after."""
    first, second = place.canaries("1"), place.canaries("2")
    assert [await place.ask(first), await place.ask(first)] == ["", ""]
    assert await place.ask(second) == Objection.CHOSEN
    place.start()
    assert await place.ask(second) == Objection.CHOSEN
    assert await place.ask(first) == ""
    assert place.count("endorsed") == 1
    assert place.count("declined", "AnotherChosen") == 1


@pytest.mark.requirement("committee: a choice of epoch record is kept before it is said")
async def test_the_choice_is_on_disk_before_the_signature_leaves(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk works nobody has an answer; whoever stops waiting ends nothing."""
    gate, keep = threading.Event(), ChoiceFile.keep

    def slowly(self: ChoiceFile, choice: Choice) -> None:
        gate.wait(10)
        keep(self, choice)

    monkeypatch.setattr(ChoiceFile, "keep", slowly)
    record = place.canaries("1")
    gone, waiting = (asyncio.create_task(place.ask(record)) for _ in range(2))
    done, _ = await asyncio.wait({gone, waiting}, timeout=0.2)
    assert not done
    assert place.directory is not None
    assert not (place.directory / NAME).exists()
    gone.cancel()
    gate.set()
    assert await waiting == ""
    assert ChoiceFile(place.directory).load() == Choice(1, epochs.open_epoch(record).digest_text)


async def test_a_crash_between_choice_and_signature(place: Place) -> None:
    """What was kept is what is signed later; a crash before leaves the number free."""
    assert place.directory is not None
    record = place.canaries("1")
    (place.directory / "chosen.new").write_bytes(b'{"number":1')
    place.start()
    ChoiceFile(place.directory).keep(Choice(1, epochs.open_epoch(record).digest_text))
    place.start()
    assert await place.ask(place.canaries("2")) == Objection.CHOSEN
    assert await place.ask(record) == ""


async def test_an_older_choice_never_replaces_a_newer_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow with the first; meanwhile another record becomes epoch 1, and number 2 is
    chosen: that is what is found after a crash."""
    gate, keep = threading.Event(), ChoiceFile.keep

    def slowly(self: ChoiceFile, choice: Choice) -> None:
        if choice.number == 1:
            gate.wait(10)
        keep(self, choice)

    monkeypatch.setattr(ChoiceFile, "keep", slowly)
    late = asyncio.create_task(place.ask(place.canaries("1")))
    await asyncio.sleep(0.1)
    other = place.certified("2")
    assert (await place.endorsing.show(other)).number == 1
    assert await late == Objection.DECIDED
    place.committee.open(other.record)
    third = place.canaries("3")
    chosen = asyncio.create_task(place.ask(third))
    done, _ = await asyncio.wait({chosen}, timeout=0.2)
    assert not done
    gate.set()
    assert await chosen == ""
    place.start()
    assert await place.ask(place.canaries("4")) == Objection.CHOSEN
    assert await place.ask(third) == ""


async def test_a_disk_that_refuses_ends_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is signed any more until the member starts again."""

    def refuse(self: ChoiceFile, choice: Choice) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ChoiceFile, "keep", refuse)
        assert await place.ask(place.canaries("1")) == Objection.BROKEN
    assert await place.ask(place.canaries("1")) == Objection.BROKEN
    place.start()
    assert await place.ask(place.canaries("1")) == ""


async def test_who_would_forget_signs_nothing(tmp_path: Path) -> None:
    """Without a directory; it takes in what others certified all the same."""
    place = Place(None, Committee())
    assert await place.ask(place.canaries("1")) == Why.NO_DIRECTORY
    assert (await place.endorsing.show(place.certified("1"))).number == 1
    place.workers.shutdown()


async def test_who_lost_a_part_of_its_chain_signs_nothing_there(place: Place) -> None:
    """It signed something as number 3, and knows the epochs to 1: what it signed as 2 it forgot.
    As soon as it has learnt epoch 2, its choice of 3 holds again."""
    assert place.directory is not None
    steps = []
    for char in "12":
        steps.append(place.certified(char))
        place.endorsing.take(steps[-1])
        place.committee.open(steps[-1].record)
    third, other = place.canaries("3"), place.canaries("4")
    assert await place.ask(third) == ""
    (place.directory / "0000000002.json").unlink()
    place.start()
    place.committee.open(steps[0].record)
    assert await place.ask(place.canaries("5")) == Why.CHAIN_LOST
    place.endorsing.take(steps[1])
    place.committee.open(steps[1].record)
    assert await place.ask(other) == Objection.CHOSEN
    assert await place.ask(third) == ""


@pytest.mark.parametrize("data", [b"", b"{}", b'{"number":1,"digest":"x"}', b"\x00" * 5_000])
def test_a_choice_that_cannot_be_read_is_no_start(place: Place, data: bytes) -> None:
    """Nobody knows what was signed: people must act."""
    assert place.directory is not None
    (place.directory / NAME).write_bytes(data)
    with pytest.raises(InvalidInput):
        place.start()


@pytest.mark.requirement("committee: members sign after the administrators, never before")
async def test_members_sign_last(place: Place) -> None:
    """With too few administrators, or with one twice, or of another record, nothing is signed; and
    nothing is chosen."""
    record, other = place.canaries("1"), place.canaries("2")
    assert await place.ask(record, admins=0) == Why.ADMINS
    assert await place.ask(record, admins=1) == Why.ADMINS
    one = place.proposal(record, 1).admins
    for admins in (one * 2, place.proposal(other).admins):
        answer = await place.endorsing.propose(Proposal(record=record, admins=admins))
        assert declined(answer) == Why.ADMINS
    assert await place.ask(other) == ""


async def test_nothing_is_signed_that_was_not_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of number 2 without administrators comes to follow while it is looked at as one
    that does not: it is looked at again."""
    first = place.certified("1")
    place.committee.open(first.record)
    second = place.proposal(place.canaries("2"), admins=0)
    of = doubts.of
    loop = asyncio.get_running_loop()
    taken: list[bool] = []

    def late(*arguments: object) -> object:
        found = of(*arguments)  # type: ignore[arg-type]
        if not taken:
            future = asyncio.run_coroutine_threadsafe(take(), loop)
            future.result(10)
        return found

    async def take() -> None:
        taken.append(place.endorsing.take(first))

    monkeypatch.setattr(doubts, "of", late)
    assert declined(await place.endorsing.propose(second)) == Why.ADMINS
    assert taken == [True]


@pytest.mark.requirement("committee: quarantine rests on evidence that everybody recomputes")
async def test_evidence_is_computed_again(place: Place) -> None:
    """Without any, with other evidence, against another member: not signed, and nothing chosen.
    With what convicts it is, and no administrator need sign."""
    committee = place.committee
    pair = equivocation(committee, "m4")
    record = quarantine.propose(committee.epoch, pair, SIGNATURES)
    data = quarantine.encode(pair)
    framed = msgspec.structs.replace(record, seats=committee.seats(m3={"quarantined": True}))
    other = quarantine.encode(equivocation(committee, "m3"))
    for bad, evidence in ((record, b""), (record, other), (record, data[:-1]), (framed, data)):
        assert await place.ask(bad, 0, evidence) == Why.EVIDENCE
    assert await place.ask(place.canaries("1"), 2, data) == Why.NOT_EVIDENCE
    assert await place.ask(record, 0, data) == ""


async def test_a_run_of_canaries_is_computed_again(tmp_path: Path) -> None:
    """The other kind of evidence."""
    scene = Canaried()
    place = Place(tmp_path, scene.committee)
    failed = Failures("m4", Verdict.DENY, tuple(scene.result(n, ["m4"]) for n in range(6)))
    record = quarantine.propose(scene.committee.epoch, failed, SIGNATURES)
    short = msgspec.structs.replace(failed, results=failed.results[:5])
    assert await place.ask(record, 0, quarantine.encode(short)) == Why.EVIDENCE
    assert await place.ask(record, 0, quarantine.encode(failed)) == ""
    place.workers.shutdown()


async def test_policies_are_those_that_this_member_was_told_of(place: Place) -> None:
    """Not known yet, none, others, broken: not signed. The digest of what is there: signed."""
    scene = Scene()
    policies = place.committee.next_record

    def record(policy_digest: str) -> EpochRecord:
        return policies(Change.POLICIES, policies=policy_digest)

    def observe(session: str, *documents: object) -> None:
        batch = ObservedBatch(
            session=session,
            sequence=1,
            reset=True,
            complete=True,
            policies=documents,  # type: ignore[arg-type]
        )
        place.relay.accept(read_batch(member_api.encode(batch)), NOW)

    floor = scene.floor()
    right = in_force.digest([read_policy(floor)])
    assert await place.ask(record(right)) == Why.CLUSTER_UNKNOWN
    observe("none")
    assert await place.ask(record(right)) == Why.POLICIES
    observe(
        "broken",
        floor | {"spec": {}, "kind": "ClusterSafetyPolicy", "metadata": {"name": "broken"}},
    )
    assert await place.ask(record(right)) == Why.POLICIES
    observe("floor", floor)
    assert await place.ask(record(NO_POLICIES)) == Why.POLICIES
    assert await place.ask(record(right)) == ""


def test_the_digest_of_no_policies_is_that_of_the_genesis() -> None:
    """So that a new cluster's first record can say that there are none."""
    assert in_force.digest([]) == NO_POLICIES


async def test_a_key_that_was_replaced_signs_nothing(place: Place) -> None:
    """The epoch names the member with another key: its signature would count for nothing."""
    fresh = Committee().parties["m0"].identity.public_key.pem
    seats = place.committee.seats(m0={"key": fresh})
    record = place.committee.next_record(Change.MEMBERSHIP, seats=seats)
    certified = place.committee.endorse(record, 5, 2)
    place.endorsing.take(certified)
    place.committee.open(record)
    assert await place.ask(place.canaries("1")) == Why.OTHER_KEY


@pytest.mark.parametrize(
    ("change", "spoil", "reason"),
    [
        (Change.CANARIES, lambda r: msgspec.structs.replace(r, number=9), Objection.OTHER_PLACE),
        (
            Change.CANARIES,
            lambda r: msgspec.structs.replace(r, previous=digest("9")),
            "DoesNotFollow",
        ),
        (Change.RELEASE, lambda r: r, Objection.NOT_ALLOWED),
        (Change.RECOVERY, lambda r: r, Objection.RECOVERY),
    ],
)
async def test_what_may_not_follow_is_declined(
    place: Place, change: Change, spoil: Callable[[EpochRecord], EpochRecord], reason: str
) -> None:
    """In the words of the chain's own rules."""
    record = spoil(place.committee.next_record(change))
    assert await place.ask(record) == reason


async def test_a_certified_record_is_taken_in_by_whoever_shows_it(place: Place) -> None:
    """Once; shown again it is known; after a restart too. Whoever is told of epochs hears."""
    told: list[int] = []
    place.epochs.on_opened(lambda: told.append(place.epochs.head.record.number))
    first = place.certified("1")
    assert (await place.endorsing.show(first)).number == 1
    assert (await place.endorsing.show(first)).number == 1
    assert told == [1]
    assert place.registry.get_sample_value("quorate_member_epoch_number") == 1
    place.start()
    assert place.epochs.head.record == first.record
    assert not place.endorsing.take(first)


async def test_what_is_not_certified_changes_nothing(place: Place) -> None:
    """Too few signatures, a gap, another genesis: refused. Of a gap whoever learns is told."""
    behind: list[bool] = []
    place.endorsing.on_behind(lambda: behind.append(True))
    weak = place.committee.endorse(place.canaries("1"), 3, 2)
    stranger = Committee()
    other = stranger.endorse(stranger.next_record(Change.CANARIES, canaries=digest("1")), 5, 2)
    gap = place.committee.endorse(
        msgspec.structs.replace(place.canaries("1"), number=2, previous=digest("1")), 5, 2
    )
    for bad in (weak, other):
        with pytest.raises(EpochRefused):
            await place.endorsing.show(bad)
    assert behind == []
    with pytest.raises(EpochRefused):
        await place.endorsing.show(gap)
    assert behind == [True]
    assert place.epochs.head is place.genesis


async def test_another_record_for_a_known_epoch_is_told_apart(place: Place) -> None:
    """Members lost their disks, or administrators signed twice: said, not passed over."""
    known, fork = place.certified("1"), place.certified("2")
    await place.endorsing.show(known)
    with pytest.raises(EpochRefused, match="another record is epoch 1 here"):
        await place.endorsing.show(fork)


async def test_a_record_that_cannot_be_kept_does_not_count(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain stays where it is on disk and in memory, and the same record opens later."""

    def refuse(self: ChainFiles, number: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ChainFiles, "keep", refuse)
        with pytest.raises(Unavailable, match="cannot be kept"):
            await place.endorsing.show(place.certified("1"))
    assert place.epochs.head is place.genesis
    assert (await place.endorsing.show(place.certified("1"))).number == 1
    place.committee.open(place.canaries("1"))
    assert await place.ask(place.canaries("2")) == ""


async def test_a_recovery_opens_what_a_split_held_up(place: Place) -> None:
    """Administrators alone; the choice of before is void."""
    assert await place.ask(place.canaries("1")) == ""
    recovery = place.committee.endorse(place.committee.next_record(Change.RECOVERY), 0, 2)
    await place.endorsing.show(recovery)
    place.committee.open(recovery.record)
    assert await place.ask(place.canaries("2")) == ""


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"propose":null}',
        b'{"certified":{"record":{}}}',
        b'{"propose":{"record":{}},"certified":null}',
        b"[]",
    ],
)
def test_bodies_that_are_none(body: bytes) -> None:
    """Malformed, with the reason."""
    with pytest.raises(InvalidInput):
        member_api.read_epochs_request(body, member_api.PROPOSAL_BYTES)


def test_both_forms_of_the_body_come_back(place: Place) -> None:
    """As they were; both at once are refused. The largest evidence fits."""
    proposal = place.proposal(place.canaries("1"), 2, b"e" * 100)
    for request in (EpochsRequest(propose=proposal), EpochsRequest(certified=place.certified("1"))):
        data = member_api.encode(request)
        assert member_api.read_epochs_request(data, member_api.PROPOSAL_BYTES) == request
    both = EpochsRequest(propose=proposal, certified=place.certified("1"))
    with pytest.raises(InvalidInput, match="one of propose and certified"):
        member_api.read_epochs_request(member_api.encode(both), member_api.PROPOSAL_BYTES)
    largest = len(base64.b64encode(bytes(quarantine.EVIDENCE_BYTES))) + epochs.RECORD_BYTES
    assert largest < member_api.PROPOSAL_BYTES


def declined(answer: ProposeAnswer) -> str:
    """Why."""
    assert answer.declined is not None
    return answer.declined.reason
