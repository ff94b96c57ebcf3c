"""Epoch records: what one may say about itself, and which texts are one key."""

from typing import Any

import msgspec
import pytest

from quorate.consensus import epoch as epochs
from quorate.consensus.epoch import RECORD_BYTES, Admins, Change, open_epoch
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput, LimitExceeded
from tests.fakes.ballots import Committee, digest

C = Committee()
RECORD = C.epoch.record


def respelt(pem: str) -> str:
    """The same key in another text."""
    return f"\n{pem}\n"


def seats(**changes: dict[str, Any]) -> dict[str, Any]:
    """A change of seats."""
    return {"seats": C.seats(**changes)}


M1_KEY = RECORD.seats[1].key
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("name twice", seats(m0={"name": "m1"}), "names a member twice"),
    ("key twice", seats(m0={"key": M1_KEY}), "one key for two members"),
    ("key respelt", seats(m0={"key": respelt(M1_KEY)}), "one key for two members"),
    ("admin twice", {"admins": Admins(RECORD.admins.keys[:1] * 2, 2)}, "key twice"),
    (
        "admin respelt",
        {"admins": Admins((RECORD.admins.keys[0], respelt(RECORD.admins.keys[0])), 2)},
        "key twice",
    ),
    ("too few admins", {"admins": Admins(RECORD.admins.keys[:1], 2)}, "more than the 1 keys"),
    ("n is not the seats", {"seats": RECORD.seats[:4]}, "5, with 4 members"),
    ("unsound", {"thresholds": Thresholds(n=5, fast=3, strict=3, r=1)}, r"2\*3-5 = 1"),
    (
        "two away",
        seats(m0={"quarantined": True}, m1={"quarantined": True}),
        "2 under quarantine; at most r = 1",
    ),
    ("first with a past", {"previous": digest("c")}, "0 has none"),
    ("later without", {"number": 1, "change": Change.POLICIES}, "must name the record before"),
    ("later genesis", {"number": 1, "previous": digest("c")}, "Genesis is number 0"),
    ("first of another kind", {"change": Change.POLICIES}, "Genesis is number 0"),
]


@pytest.mark.parametrize(("what", "changes", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_records_that_contradict_themselves_are_refused(
    what: str, changes: dict[str, Any], why: str
) -> None:
    """Whoever signed them. Keys are told apart by material, not by how they are written."""
    with pytest.raises(InvalidInput, match=why):
        open_epoch(msgspec.structs.replace(RECORD, **changes))


def test_texts_that_are_no_keys_stand_for_themselves() -> None:
    """They verify nothing; two of them are two."""
    assert epochs.material_of("no key") == "no key"
    assert epochs.material_of(M1_KEY) == epochs.material_of(respelt(M1_KEY)) != M1_KEY


def test_a_record_comes_back_as_it_was() -> None:
    """Its canonical form parses to the same record with the same digest."""
    parsed = epochs.parse(epochs.encode(RECORD))
    assert parsed == RECORD
    assert open_epoch(parsed).digest == C.epoch.digest


def test_every_field_is_in_the_digest() -> None:
    """Two records that differ anywhere have different digests."""
    changes: list[dict[str, Any]] = [
        {"cluster_id": "cluster-2"},
        {"reason": "another"},
        {"policies": digest("c")},
        {"canaries": digest("c")},
        {"released": (digest("c"),)},
        {"admins": Admins(RECORD.admins.keys, 1)},
        {"thresholds": Thresholds(n=5, fast=4, strict=4, r=1)},
        *(seats(m0={name: value}) for name, value in [("judges", digest("c")), ("name", "x")]),
        seats(m0={"quarantined": True}),
        seats(m0={"failure_domain": "elsewhere"}),
    ]
    digests = {open_epoch(msgspec.structs.replace(RECORD, **change)).digest for change in changes}
    assert len(digests | {C.epoch.digest}) == len(changes) + 1


def test_documents_beyond_the_bound_are_refused() -> None:
    """Before they are parsed."""
    with pytest.raises(LimitExceeded):
        epochs.parse(b" " * (RECORD_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        epochs.encode(RECORD).replace(b'"number":0', b'"number":0,"Number":1'),
        epochs.encode(RECORD).replace(b'"number":0', b'"number":"0"'),
        epochs.encode(RECORD).replace(b'"number":0', b'"number":-1'),
        epochs.encode(RECORD).replace(b'"number":0', b'"number":0,"extra":1'),
        epochs.encode(RECORD).replace(b'"Genesis"', b'"Coup"'),
    ],
    ids=["nothing", "list", "empty", "twins", "text", "negative", "extra", "kind"],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    """Strictly: no unknown field, no other type, no key in two spellings."""
    with pytest.raises(InvalidInput):
        epochs.parse(data)


def test_an_epoch_knows_who_counts() -> None:
    """Members are all, counted are those not under quarantine."""
    away = Committee(quarantined=["m2"]).epoch
    assert list(away.members) == ["m0", "m1", "m2", "m3", "m4"]
    assert away.counted == {"m0", "m1", "m3", "m4"}
    assert (away.seat("m9"), away.seat("")) == (None, None)
