"""Succession: a record changes what its kind may, and counts with the signatures it needs."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from quorate.consensus import epoch as epochs
from quorate.consensus import succession
from quorate.consensus.epoch import RECORD_BYTES, RECORD_TAG, Admins, Change, EpochRecord
from quorate.consensus.succession import CertifiedRecord, Endorsement, Requirement
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput, LimitExceeded, SignatureError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Committee, digest, identity

C = Committee()
AWAY = Committee(quarantined=["m4"])
SIX = Thresholds(n=6, fast=4, strict=4, r=1)


def sixth(committee: Committee) -> dict[str, Any]:
    """A sixth member joins."""
    seat = msgspec.structs.replace(
        committee.epoch.record.seats[0], name="m5", key=identity().public_key.pem
    )
    return {"seats": (*committee.epoch.record.seats, seat), "thresholds": SIX}


def rekeyed(committee: Committee, member: str, **changes: Any) -> dict[str, Any]:
    """``member`` gets a new key."""
    return {"seats": committee.seats(**{member: {"key": identity().public_key.pem} | changes})}


QUARANTINE = {"seats": C.seats(m4={"quarantined": True}), "evidence": digest("e")}
ALLOWED: list[tuple[Committee, Change, dict[str, Any]]] = [
    (C, Change.MEMBERSHIP, sixth(C)),
    (C, Change.MEMBERSHIP, rekeyed(C, "m1")),
    (C, Change.MEMBERSHIP, {"admins": Admins(C.epoch.record.admins.keys, 3)}),
    (C, Change.POLICIES, {"policies": digest("c")}),
    (C, Change.QUARANTINE, QUARANTINE),
    (AWAY, Change.READMISSION, rekeyed(AWAY, "m4", quarantined=False)),
    (C, Change.CANARIES, {"canaries": digest("c")}),
    (C, Change.RELEASE, {"released": (digest("c"),)}),
    (C, Change.RECOVERY, rekeyed(C, "m1")),
]
FIELDS: dict[str, Any] = {
    "cluster_id": "cluster-2",
    "seats": C.seats(m0={"judges": digest("9")}),
    "thresholds": Thresholds(n=5, fast=4, strict=4, r=1),
    "admins": Admins(C.epoch.record.admins.keys, 3),
    "policies": digest("9"),
    "canaries": digest("9"),
    "released": (digest("9"),),
}
MAY_CHANGE = {
    Change.MEMBERSHIP: {"seats", "thresholds", "admins"},
    Change.POLICIES: {"policies"},
    Change.QUARANTINE: set(),
    Change.READMISSION: set(),
    Change.CANARIES: {"canaries"},
    Change.RELEASE: {"released"},
    Change.RECOVERY: {"seats", "thresholds"},
}


@pytest.mark.parametrize(("committee", "change", "changes"), ALLOWED, ids=lambda x: str(x)[:20])
def test_each_kind_may_do_what_it_is_for(
    committee: Committee, change: Change, changes: dict[str, Any]
) -> None:
    """And opens the epoch it describes."""
    record = committee.next_record(change, **changes)
    assert succession.check(committee.epoch, record).record == record


@pytest.mark.requirement("committee: an epoch record changes only what its kind may change")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        (change, field)
        for change, may in MAY_CHANGE.items()
        for field in sorted(FIELDS.keys() - may)
    ],
)
def test_no_kind_changes_anything_else(change: Change, field: str) -> None:
    """Every other field, whatever else the record does rightly."""
    own = next(changes for _, kind, changes in ALLOWED if kind is change)
    committee = AWAY if change is Change.READMISSION else C
    record = committee.next_record(change, **(own | {field: FIELDS[field]}))
    with pytest.raises((InvalidInput, SubjectMismatch)):
        succession.check(committee.epoch, record)


def test_the_table_names_every_kind_and_field() -> None:
    """A new kind or field must be added to the cases above."""
    assert MAY_CHANGE.keys() == set(Change) - {Change.GENESIS}
    always = {"number", "previous", "change", "reason", "evidence"}
    assert FIELDS.keys() | always == set(EpochRecord.__struct_fields__)


OUT_OF_PLACE: list[dict[str, Any]] = [
    {"number": 0},
    {"number": 2},
    {"previous": digest("f")},
    {"previous": None},
    {"change": Change.GENESIS},
]


@pytest.mark.parametrize("changes", OUT_OF_PLACE, ids=str)
def test_a_record_follows_the_one_before_and_no_other(changes: dict[str, Any]) -> None:
    """Number, digest and kind; a second genesis is none."""
    record = C.next_record(Change.POLICIES, policies=digest("c"))
    with pytest.raises((SubjectMismatch, InvalidInput)):
        succession.check(C.epoch, msgspec.structs.replace(record, **changes))


PEM4 = AWAY.epoch.record.seats[4].key
NOT_SEATS: list[tuple[str, Committee, Change, dict[str, Any], str]] = [
    ("no evidence", C, Change.QUARANTINE, QUARANTINE | {"evidence": None}, "what it rests on"),
    ("nobody", C, Change.QUARANTINE, {"evidence": digest("e")}, "changes nothing"),
    (
        "also a key",
        C,
        Change.QUARANTINE,
        rekeyed(C, "m4", quarantined=True) | {"evidence": digest("e")},
        "changes more of m4",
    ),
    (
        "also an order",
        C,
        Change.QUARANTINE,
        {"seats": QUARANTINE["seats"][::-1], "evidence": digest("e")},
        "leaves the members as they are",
    ),
    (
        "lifted by a quarantine",
        AWAY,
        Change.QUARANTINE,
        {"seats": AWAY.seats(m4={"quarantined": False}), "evidence": digest("e")},
        "changes more of m4",
    ),
    (
        "second beyond r",
        AWAY,
        Change.QUARANTINE,
        {"seats": AWAY.seats(m3={"quarantined": True}), "evidence": digest("e")},
        "2 under quarantine; at most r = 1",
    ),
    (
        "evidence elsewhere",
        C,
        Change.POLICIES,
        {"policies": digest("c"), "evidence": digest("e")},
        "belongs to a quarantine",
    ),
    (
        "same key back",
        AWAY,
        Change.READMISSION,
        {"seats": AWAY.seats(m4={"quarantined": False})},
        "m4 has the key of a liar",
    ),
    (
        "same key respelt",
        AWAY,
        Change.READMISSION,
        {"seats": AWAY.seats(m4={"quarantined": False, "key": f"\n{PEM4}"})},
        "m4 has the key of a liar",
    ),
    ("still away", AWAY, Change.READMISSION, rekeyed(AWAY, "m4"), "m4 leaves no quarantine"),
    ("was not away", AWAY, Change.READMISSION, rekeyed(AWAY, "m1"), "m1 leaves no quarantine"),
    ("nobody back", AWAY, Change.READMISSION, {}, "changes nothing"),
    (
        "renamed back",
        AWAY,
        Change.READMISSION,
        rekeyed(AWAY, "m4", name="m9", quarantined=False),
        "leaves the members as they are",
    ),
    (
        "same key by membership",
        AWAY,
        Change.MEMBERSHIP,
        {"seats": AWAY.seats(m4={"quarantined": False})},
        "m4 has the key of a liar",
    ),
    (
        "same key, other name",
        AWAY,
        Change.MEMBERSHIP,
        {"seats": AWAY.seats(m4={"name": "m9", "quarantined": False})},
        "m9 has the key of a liar",
    ),
    (
        "key passed on",
        AWAY,
        Change.MEMBERSHIP,
        {"seats": (*AWAY.seats(m3={"key": PEM4})[:4], C.epoch.record.seats[4])},
        "m3 has the key of a liar",
    ),
    (
        "same key by recovery",
        AWAY,
        Change.RECOVERY,
        {"seats": AWAY.seats(m4={"quarantined": False, "key": f"{PEM4}\n"})},
        "m4 has the key of a liar",
    ),
]


@pytest.mark.requirement("committee: a quarantined member comes back with a new key or not at all")
@pytest.mark.parametrize(
    ("committee", "change", "changes", "why"),
    [row[1:] for row in NOT_SEATS],
    ids=[row[0] for row in NOT_SEATS],
)
def test_seats_change_only_by_the_rules(
    committee: Committee, change: Change, changes: dict[str, Any], why: str
) -> None:
    """Quarantine only takes a vote, readmission only gives it back to another key, and the key of
    a liar counts under no name."""
    with pytest.raises(InvalidInput, match=why):
        succession.check(committee.epoch, committee.next_record(change, **changes))


def test_two_liars_cannot_come_back_with_each_others_keys() -> None:
    """A new key is one that no liar had, not only another than before."""
    seven = Committee(Thresholds(n=7, fast=4, strict=5, r=2), quarantined=["m5", "m6"])
    keys = {seat.name: seat.key for seat in seven.epoch.record.seats}
    swapped = seven.seats(
        m5={"key": keys["m6"], "quarantined": False}, m6={"key": keys["m5"], "quarantined": False}
    )
    with pytest.raises(InvalidInput, match="has the key of a liar"):
        succession.check(seven.epoch, seven.next_record(Change.READMISSION, seats=swapped))


def test_a_release_ends_a_freeze() -> None:
    """It names at least one more; it may forget older ones, which only freezes again, so that the
    list is never full."""
    released = Committee(released=(digest("1"), digest("2")))
    more: list[tuple[str, ...]] = [(digest("1"), digest("2"), digest("3")), (digest("3"),)]
    fewer: list[tuple[str, ...]] = [(digest("1"), digest("2")), (digest("1"),), ()]
    for now in more:
        succession.check(released.epoch, released.next_record(Change.RELEASE, released=now))
    for now in fewer:
        with pytest.raises(InvalidInput, match="must end a freeze"):
            succession.check(released.epoch, released.next_record(Change.RELEASE, released=now))


NEEDS = {
    Change.MEMBERSHIP: Requirement(4, 2),
    Change.POLICIES: Requirement(4, 2),
    Change.QUARANTINE: Requirement(4, 0),
    Change.READMISSION: Requirement(4, 2),
    Change.CANARIES: Requirement(4, 2),
    Change.RELEASE: Requirement(4, 2),
    Change.RECOVERY: Requirement(0, 2),
}


@pytest.mark.requirement("committee: what loosens needs the administrators' signatures too")
@pytest.mark.parametrize(("committee", "change", "changes"), ALLOWED, ids=lambda x: str(x)[:20])
def test_a_record_counts_with_the_signatures_it_needs(
    committee: Committee, change: Change, changes: dict[str, Any]
) -> None:
    """With exactly so many it counts; with one member or one administrator fewer it does not."""
    record = committee.next_record(change, **changes)
    need = NEEDS[change]
    assert succession.required(committee.epoch, record) == need
    certified = committee.endorse(record, need.members, need.admins)
    assert succession.verify(committee.epoch, certified, SIGNATURES).record == record
    if need.members:
        fewer = committee.endorse(record, need.members - 1, 3)
        with pytest.raises(SignatureError, match="3 of 4 members"):
            succession.verify(committee.epoch, fewer, SIGNATURES)
    if need.admins:
        fewer = committee.endorse(record, 5, need.admins - 1)
        with pytest.raises(SignatureError, match="1 of 2 administrators"):
            succession.verify(committee.epoch, fewer, SIGNATURES)


POLICIES = C.next_record(Change.POLICIES, policies=digest("c"))


def short_of_members() -> CertifiedRecord:
    """Three members and both administrators."""
    return C.endorse(POLICIES, 3, 2)


def more_members(certified: CertifiedRecord, *more: Endorsement) -> CertifiedRecord:
    """With more signatures of members."""
    return msgspec.structs.replace(certified, members=(*certified.members, *more))


def signature(name: str, tag: bytes = RECORD_TAG, record: EpochRecord = POLICIES) -> bytes:
    """``name``'s signature of ``record``."""
    return C.parties[name].identity.sign(tag + epochs.encode(record))


FOURTH: list[tuple[str, Callable[[], Endorsement]]] = [
    ("one of them again", lambda: Endorsement("m0", signature("m0"))),
    ("one under another name", lambda: Endorsement("m3", signature("m0"))),
    ("a stranger", lambda: Endorsement("m9", signature("m3"))),
    ("another tag", lambda: Endorsement("m3", signature("m3", b"quorate.dev/freeze/v1\0"))),
    (
        "another record",
        lambda: Endorsement("m3", signature("m3", record=C.next_record(Change.POLICIES))),
    ),
    ("nothing", lambda: Endorsement("m3", b"")),
    (
        "an administrator",
        lambda: Endorsement("m3", C.admins[0].sign(RECORD_TAG + epochs.encode(POLICIES))),
    ),
]


@pytest.mark.parametrize(("what", "fourth"), FOURTH, ids=[row[0] for row in FOURTH])
def test_signatures_are_counted_by_member(what: str, fourth: Callable[[], Endorsement]) -> None:
    """None of these is a fourth."""
    with pytest.raises(SignatureError, match="3 of 4 members"):
        succession.verify(C.epoch, more_members(short_of_members(), fourth()), SIGNATURES)


def test_a_quarantined_member_signs_no_record() -> None:
    """Five signatures of which one is a liar's are four; four with the liar's are three."""
    record = AWAY.next_record(Change.POLICIES, policies=digest("c"))
    everybody = AWAY.endorse(record, 5, 2)
    succession.verify(AWAY.epoch, everybody, SIGNATURES)
    four = msgspec.structs.replace(everybody, members=everybody.members[1:])
    with pytest.raises(SignatureError, match="3 of 4 members"):
        succession.verify(AWAY.epoch, four, SIGNATURES)


def test_one_administrator_counts_once() -> None:
    """The same key again is the same person, and a member's key is no administrator's."""
    certified = C.endorse(POLICIES, 4, 1)
    pem = C.parties["m0"].identity.public_key.pem
    for more in (certified.admins[0], Endorsement(pem, signature("m0"))):
        doubled = msgspec.structs.replace(certified, admins=(*certified.admins, more))
        with pytest.raises(SignatureError, match="1 of 2 administrators"):
            succession.verify(C.epoch, doubled, SIGNATURES)


def test_the_epoch_before_decides_who_signs() -> None:
    """Members that a record brings in have no say in it."""
    certified = C.endorse(C.next_record(Change.MEMBERSHIP, **sixth(C)), 3, 2)
    newcomer = Endorsement("m5", b"signature")
    with pytest.raises(SignatureError, match="3 of 4 members"):
        succession.verify(C.epoch, more_members(certified, newcomer), SIGNATURES)


def test_without_administrators_nothing_loosens() -> None:
    """A committee that names none can quarantine, and nothing else."""
    alone = Committee(admins=Admins((), 1))
    record = alone.next_record(Change.POLICIES, policies=digest("c"))
    with pytest.raises(SignatureError, match="0 of 1 administrators"):
        succession.verify(alone.epoch, alone.endorse(record, 5, 3), SIGNATURES)


def test_each_record_follows_the_one_before() -> None:
    """From the pinned epoch, record by record; a gap, an order turned round, or one record with too
    few signatures, and it goes no further."""
    committee, chain = Committee(), []
    pinned = committee.epoch
    for number in range(1, 5):
        record = committee.next_record(Change.POLICIES, policies=digest(str(number)))
        chain.append(committee.endorse(record, 4, 2))
        committee.open(record)
    head = pinned
    for certified in chain:
        head = succession.verify(head, certified, SIGNATURES)
    assert head == committee.epoch
    weak = msgspec.structs.replace(chain[0], members=chain[0].members[:3])
    for certified in (weak, *chain[1:]):
        with pytest.raises((SubjectMismatch, SignatureError)):
            succession.verify(pinned, certified, SIGNATURES)


def test_certified_records_travel_as_json() -> None:
    """What is written is read again; oversized, and otherwise formed, is refused."""
    certified = C.endorse(POLICIES, 4, 2)
    data = msgspec.json.encode(certified)
    assert succession.parse_certified(data) == certified
    for bad in (b"", b"{}", data[:-1], data.replace(b'"signer"', b'"singer"', 1)):
        with pytest.raises(InvalidInput):
            succession.parse_certified(bad)
    with pytest.raises(LimitExceeded):
        succession.parse_certified(b" " * (RECORD_BYTES + 1))
