"""The record by which a spare takes a liar's seat: no more than that, whoever prepared it."""

from typing import Any

import msgspec
import pytest

from quorate.consensus import epoch as epochs
from quorate.consensus import spare as spares
from quorate.consensus import successors
from quorate.consensus.epoch import Admins, Change, EpochRecord, Seat
from quorate.consensus.history import History
from quorate.consensus.spare import Spare
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch
from tests.fakes.ballots import Committee, digest, identity

pytestmark = pytest.mark.requirement(
    "self-healing: after a quarantine a spare and a prepared epoch change that people acknowledge"
)
SPARE = Spare("m5", "rack-5")
KEY = identity().public_key.pem


def scene(*quarantined: str, **changes: Any) -> tuple[Committee, History]:
    """A committee of five with these under quarantine, which a history says."""
    committee = Committee(quarantined=quarantined, **changes)
    revoked = {epochs.material_of(seat.key) for seat in committee.epoch.record.seats
               if seat.quarantined}  # fmt: skip
    return committee, History((committee.epoch,), frozenset(revoked))


def test_it_changes_one_seat_and_nothing_else() -> None:
    """Name, key and failure domain are the spare's; judges stay the seat's, and so does the rest.
    The same arguments make the same record."""
    _, history = scene("m2")
    record = spares.propose(history, SPARE, KEY)
    assert record == spares.propose(history, SPARE, KEY)
    before = history.head.record
    assert (record.change, record.number) == (Change.MEMBERSHIP, 1)
    assert record.seats[2] == Seat("m5", KEY, "rack-5", before.seats[2].judges)
    assert [s for s in record.seats if s.name != "m5"] == [
        s for s in before.seats if s.name != "m2"
    ]
    restored = msgspec.structs.replace(
        record, seats=before.seats, number=0, previous=None, change=before.change,
        reason=before.reason,
    )  # fmt: skip
    assert restored == before
    found = spares.check(history, record)
    assert (found.leaves, found.joins) == ("m2", record.seats[2])


def test_one_at_a_time() -> None:
    """Of two under quarantine one is replaced, and the record that does is no less strict."""
    committee = Committee(Thresholds(n=7, fast=4, strict=5, r=2), quarantined=("m1", "m3"))
    history = History((committee.epoch,))
    record = spares.propose(history, Spare("m7", "rack-7"), KEY)
    assert spares.check(history, record).leaves == "m1"
    assert [seat.name for seat in record.seats if seat.quarantined] == ["m3"]


def _seats(record: EpochRecord, of: str, /, **changes: Any) -> tuple[Seat, ...]:
    return tuple(
        msgspec.structs.replace(seat, **changes) if seat.name == of else seat
        for seat in record.seats
    )


WRONG: dict[str, Any] = {
    "other judges": lambda r: {"seats": _seats(r, "m5", judges=digest("9"))},
    "still under quarantine": lambda r: {"seats": _seats(r, "m5", quarantined=True)},
    "another one's key": lambda r: {"seats": _seats(r, "m0", key=identity().public_key.pem)},
    "another one leaves": lambda r: {"seats": _seats(r, "m0", name="m9")},
    "one more": lambda r: {"seats": (*r.seats, Seat("m9", identity().public_key.pem, "z", "x"))},
    "one less": lambda r: {"seats": r.seats[1:]},
    "thresholds": lambda r: {"thresholds": msgspec.structs.replace(r.thresholds, strict=5)},
    "administrators": lambda r: {"admins": Admins((identity().public_key.pem,), 1)},
    "policies": lambda r: {"policies": digest("9")},
    "canaries": lambda r: {"canaries": digest("9")},
    "releases": lambda r: {"released": (digest("9"),)},
    "its kind": lambda r: {"change": Change.RECOVERY},
    "its number": lambda r: {"number": 7},
    "its cluster": lambda r: {"cluster_id": "another"},
    "what it follows": lambda r: {"previous": digest("9")},
    "a name that leads elsewhere": lambda r: {"seats": _seats(r, "m5", name="m5.example.test/")},
    "evidence": lambda r: {"evidence": digest("9")},
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_else_it_changes_is_refused(what: str) -> None:
    """A stolen operator's token would write such a record where people find it."""
    _, history = scene("m2")
    record = spares.propose(history, SPARE, KEY)
    wrong = msgspec.structs.replace(record, **WRONG[what](record))
    with pytest.raises(QuorateError):
        spares.check(history, wrong)


def test_an_honest_members_seat_is_not_given_away() -> None:
    """As a person may do by hand, and nobody prepares."""
    _, history = scene("m2")
    record = successors.replacement(history.head, "by hand", "m0", by="m5", key=KEY)
    with pytest.raises(SubjectMismatch, match="under quarantine"):
        spares.check(history, record)


def test_what_nobody_could_acknowledge_is_not_prepared() -> None:
    """Nobody lies, nobody administers, the key of a liar of now or then, a member's key."""
    committee, history = scene("m2")
    keys = {name: party.identity.public_key.pem for name, party in committee.parties.items()}
    past = History(history.recent, history.revoked | {epochs.material_of(KEY)})
    for told, key, said in (
        (scene()[1], KEY, "nobody is under quarantine"),
        (scene("m2", admins=Admins((), 1))[1], KEY, "nobody administers"),
        (history, keys["m2"], "key of a liar"),
        (past, KEY, "key of a liar"),
        (history, keys["m0"], "key of a member"),
        (history, "no key", "PEM"),
    ):
        with pytest.raises(InvalidInput, match=said):
            spares.propose(told, SPARE, key)


def test_spares_that_have_a_seat_are_free_no_more() -> None:
    """In the order in which the installation names them."""
    committee, _ = scene()
    known = (Spare("m4", "a"), SPARE, Spare("m6", "b"))
    assert [one.name for one in spares.free(committee.epoch, known)] == ["m5", "m6"]
