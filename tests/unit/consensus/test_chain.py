"""A member's side of the chain: one choice for each number, kept before it is said."""

from dataclasses import dataclass, field

import msgspec
import pytest

from quorate.consensus import chain, succession
from quorate.consensus import epoch as epochs
from quorate.consensus.chain import (
    WAITING_MAX,
    Certified,
    ChoiceKept,
    Declined,
    Effect,
    Endorsed,
    Event,
    Ignored,
    Keep,
    KeepFailed,
    Link,
    Opened,
    Proposed,
)
from quorate.consensus.epoch import RECORD_TAG, Change, EpochRecord, open_epoch
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import EvidenceError, SignatureError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Committee, digest


@dataclass
class Place:
    """Where a member stands, and all it said."""

    committee: Committee
    name: str = "m0"
    link: Link = field(init=False)
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = Link(self.name, self.committee.epoch)

    def feed(self, event: Event) -> list[Effect]:
        """Let ``event`` happen."""
        identity = self.committee.parties[self.name].identity
        self.link, effects = chain.step(self.link, event, identity, SIGNATURES)
        self.effects.extend(effects)
        return list(effects)

    def propose(self, record: EpochRecord, reply: int = 1) -> list[Effect]:
        """Somebody asks for a signature."""
        return self.feed(Proposed(reply, record))

    def keep(self, effects: list[Effect]) -> list[Effect]:
        """The disk has what it was asked to keep."""
        (keep,) = effects
        assert isinstance(keep, Keep)
        return self.feed(ChoiceKept(keep.digest))

    def endorsed(self) -> list[int]:
        """Who got a signature."""
        return [effect.reply for effect in self.effects if isinstance(effect, Endorsed)]

    def declined(self, effects: list[Effect]) -> str:
        """Why the one that asked got none."""
        (effect,) = effects
        assert isinstance(effect, Declined)
        return str(effect.error)


@pytest.fixture
def place() -> Place:
    """m0 at the genesis."""
    return Place(Committee())


def policies(committee: Committee, char: str) -> EpochRecord:
    """A record that activates other policies."""
    return committee.next_record(Change.POLICIES, policies=digest(char))


def certified(committee: Committee, char: str) -> CertifiedRecord:
    """The same, with the signatures that make it count."""
    return committee.endorse(policies(committee, char), 4, 2)


@pytest.mark.requirement("committee: a choice of epoch record is kept before it is said")
def test_a_choice_is_kept_and_then_said(place: Place) -> None:
    """The signature comes with the disk's word, and verifies for everybody."""
    record = policies(place.committee, "1")
    effects = place.propose(record)
    assert effects == [Keep(1, open_epoch(record).digest_text)]
    (endorsed,) = place.keep(effects)
    assert isinstance(endorsed, Endorsed)
    key = place.committee.epoch.record.seats[0].key
    data = RECORD_TAG + epochs.encode(record)
    assert endorsed.endorsement.signer == "m0"
    assert SIGNATURES.by_identity(key, endorsed.endorsement.signature, data)


@pytest.mark.requirement("committee: at most one record is signed for each number")
def test_one_choice_for_a_number(place: Place) -> None:
    """Another record for the same number is declined: while the first is not kept, after, and
    whatever its kind."""
    place_record, other = policies(place.committee, "1"), policies(place.committee, "2")
    effects = place.propose(place_record)
    assert "another record was chosen as number 1" in place.declined(place.propose(other, 2))
    place.keep(effects)
    quarantine = place.committee.next_record(
        Change.QUARANTINE,
        seats=place.committee.seats(m4={"quarantined": True}),
        evidence=digest("e"),
    )
    for record in (other, quarantine, msgspec.structs.replace(place_record, reason="reworded")):
        assert "another record was chosen" in place.declined(place.propose(record, 3))
    assert place.endorsed() == [1]


def test_the_choice_is_repeated_to_whoever_asks(place: Place) -> None:
    """Who asks before the disk has it waits, who asks after is answered at once; nothing is kept
    twice."""
    record = policies(place.committee, "1")
    effects = place.propose(record, 1)
    assert place.propose(record, 2) == []
    place.keep(effects)
    (again,) = place.propose(record, 3)
    assert isinstance(again, Endorsed)
    assert place.endorsed() == [1, 2, 3]


def test_waiting_is_bounded(place: Place) -> None:
    """More than WAITING_MAX are told to come again."""
    record = policies(place.committee, "1")
    effects = place.propose(record, 0)
    for reply in range(1, WAITING_MAX):
        assert place.propose(record, reply) == []
    assert "too many wait" in place.declined(place.propose(record, 99))
    place.keep(effects)
    assert place.endorsed() == list(range(WAITING_MAX))


def test_a_choice_survives_a_crash(place: Place) -> None:
    """Whoever starts again with what was kept signs that record, and no other. Who lost it could
    sign another: so a lost store ends a membership."""
    kept = policies(place.committee, "1")
    place.link = Link("m0", place.committee.epoch, chosen=open_epoch(kept).digest_text)
    assert "another record" in place.declined(place.propose(policies(place.committee, "2")))
    (again,) = place.propose(kept, 2)
    assert isinstance(again, Endorsed)


def test_a_disk_that_refuses_ends_it(place: Place) -> None:
    """All that wait are declined, and whatever comes, until the member starts again."""
    record = policies(place.committee, "1")
    (keep,) = place.propose(record, 1)
    place.propose(record, 2)
    declined = place.feed(KeepFailed())
    assert [effect.reply for effect in declined if isinstance(effect, Declined)] == [1, 2]
    assert "must start again" in place.declined(place.propose(record, 3))
    assert isinstance(keep, Keep)
    assert place.feed(ChoiceKept(keep.digest)) == []
    assert place.endorsed() == []


def test_another_digest_kept_is_not_the_choice(place: Place) -> None:
    """A confirmation of something else signs nothing."""
    place.propose(policies(place.committee, "1"))
    assert place.feed(ChoiceKept(digest("9"))) == []
    assert place.endorsed() == []


def test_what_this_member_doubts_it_does_not_sign(place: Place) -> None:
    """And it chooses nothing: the next proposal is free."""
    record = policies(place.committee, "1")
    doubt = EvidenceError("evidence does not recompute")
    assert "does not recompute" in place.declined(place.feed(Proposed(1, record, doubt)))
    assert isinstance(place.propose(policies(place.committee, "2"))[0], Keep)


def test_what_may_not_follow_is_declined(place: Place) -> None:
    """Out of order, of another chain, or a change its kind may not make: with the reason, and
    without a choice."""
    good = policies(place.committee, "1")
    for changes in ({"number": 2}, {"previous": digest("f")}, {"canaries": digest("c")}):
        assert place.declined(place.propose(msgspec.structs.replace(good, **changes)))
    assert place.link.chosen is None


def test_a_recovery_is_not_the_members_to_sign(place: Place) -> None:
    """It is the administrators' way around the members."""
    record = place.committee.next_record(Change.RECOVERY)
    assert "administrators' to sign" in place.declined(place.propose(record))


@pytest.mark.parametrize("name", ["m4", "m9"])
def test_who_has_no_say_signs_nothing(name: str) -> None:
    """A member under quarantine, and one that is no member any more."""
    committee = Committee(quarantined=["m4"])
    committee.parties["m9"] = committee.parties["m4"]
    place = Place(committee, name)
    assert "has no say in epoch 0" in place.declined(place.propose(policies(committee, "1")))


def test_a_certified_record_opens_the_next_epoch(place: Place) -> None:
    """Also while another choice waits for the disk: it is decided, and who waits is told."""
    place.propose(policies(place.committee, "1"), 7)
    other = certified(place.committee, "2")
    opened, declined = place.feed(Certified(other))
    assert isinstance(opened, Opened)
    assert isinstance(declined, Declined)
    assert (opened.epoch.record, declined.reply) == (other.record, 7)
    assert "epoch 1 is decided" in str(declined.error)
    assert (place.link.head, place.link.chosen) == (opened.epoch, None)
    old = open_epoch(policies(place.committee, "1")).digest_text
    assert place.feed(ChoiceKept(old)) == []
    assert place.endorsed() == []


def test_each_number_has_its_own_choice(place: Place) -> None:
    """After an epoch opened, its successor may be chosen."""
    for number in range(1, 4):
        record = policies(place.committee, str(number))
        place.keep(place.propose(record, number))
        place.feed(Certified(certified(place.committee, str(number))))
        place.committee.open(record)
    assert place.endorsed() == [1, 2, 3]
    assert place.link.head.record.number == 3


def test_what_is_not_certified_opens_nothing(place: Place) -> None:
    """Too few signatures, or a gap: ignored, with the reason; one already known says nothing."""
    weak = place.committee.endorse(policies(place.committee, "1"), 3, 2)
    (ignored,) = place.feed(Certified(weak))
    assert isinstance(ignored, Ignored)
    assert isinstance(ignored.error, SignatureError)
    first = certified(place.committee, "1")
    start = place.committee.epoch
    place.committee.open(first.record)
    (ignored,) = place.feed(Certified(certified(place.committee, "2")))
    assert isinstance(ignored, Ignored)
    assert isinstance(ignored.error, SubjectMismatch)
    assert place.link.head == start
    place.feed(Certified(first))
    assert place.feed(Certified(first)) == []
    assert place.link.head.record == first.record


@pytest.mark.requirement("committee: a split vote stalls the chain and forks nothing")
def test_a_split_vote_stalls_until_people_recover() -> None:
    """Two records, three members for one and two for the other: neither counts, no member changes
    its mind, and a recovery of the administrators moves the chain on from there."""
    committee = Committee()
    records = [policies(committee, "1"), policies(committee, "2")]
    places = [Place(committee, name) for name in committee.names]
    signed: list[list[Endorsed]] = [[], []]
    for number, place in enumerate(places):
        first, second = (0, 1) if number < 3 else (1, 0)
        place.keep(place.propose(records[first]))
        place.declined(place.propose(records[second]))
        signed[first] += [effect for effect in place.effects if isinstance(effect, Endorsed)]
    assert [len(by) for by in signed] == [3, 2]
    for record, by in zip(records, signed, strict=True):
        full = committee.endorse(record, 0, 2)
        full = msgspec.structs.replace(full, members=tuple(one.endorsement for one in by))
        with pytest.raises(SignatureError, match="of 4 members"):
            succession.verify(committee.epoch, full, SIGNATURES)
    recovery = committee.endorse(committee.next_record(Change.RECOVERY), 0, 2)
    for place in places:
        (opened,) = place.feed(Certified(recovery))
        assert isinstance(opened, Opened)
    committee.open(recovery.record)
    assert isinstance(places[0].propose(policies(committee, "3"))[0], Keep)
