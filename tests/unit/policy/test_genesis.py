"""Genesis: the first epoch, and what no first epoch can be."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quorate.consensus.epoch import Admins
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.errors import InvalidInput, LimitExceeded, QuorateError, SubjectMismatch
from quorate.genesis import GENESIS_BYTES_MAX, NO_ADMINS, encode, first_epoch, parse_genesis
from tests.fakes.vouching import member_signer, seats, signer

KEYS = [member_signer() for _ in range(5)]
ADMINS = Admins(tuple(signer().public_key.pem for _ in range(3)), 2)
GENESIS = first_epoch("cluster-1", seats(KEYS), PRESETS["standard"], ADMINS)
Change = Callable[[dict[str, Any]], None]


def changed(change: Change) -> bytes:
    """The document with something changed in it."""
    document = json.loads(encode(GENESIS))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.requirement("genesis is epoch record 0, pinned by its digest")
def test_the_document_is_the_record_and_its_digest_is_pinned() -> None:
    """What is written is read again; any spelling of it has the digest of the record."""
    assert parse_genesis(encode(GENESIS), GENESIS.digest_text) == GENESIS
    pretty = json.dumps(json.loads(encode(GENESIS)), indent=2).encode()
    assert parse_genesis(pretty, GENESIS.digest_text) == GENESIS
    assert (GENESIS.record.number, GENESIS.record.previous) == (0, None)
    assert GENESIS.record.admins == ADMINS
    with pytest.raises(SubjectMismatch, match="not the pinned"):
        parse_genesis(encode(GENESIS), f"sha256:{'0' * 64}")


def test_without_administrators_nobody_can_sign_for_them() -> None:
    """One is needed and there is none: nothing that loosens is ever certified."""
    alone = first_epoch("cluster-1", seats(KEYS[:1]), PRESETS["dev"])
    assert alone.record.admins == NO_ADMINS == Admins((), 1)


def _set(**fields: Any) -> Change:
    return lambda document: document.update(fields)


def _seat(**fields: Any) -> Change:
    return lambda document: document["seats"][0].update(fields)


def _drop(name: str) -> Change:
    return lambda document: document.pop(name)


def _thresholds(**fields: Any) -> Change:
    return lambda document: document["thresholds"].update(fields)


WRONG: dict[str, Change] = {
    "no name": _drop("clusterId"),
    "no thresholds": _drop("thresholds"),
    "an unknown field": _set(members=[]),
    "nobody": _set(seats=[]),
    "number 1": _set(number=1),
    "a record before it": _set(previous=f"sha256:{'0' * 64}"),
    "another change": _set(change="Membership"),
    "a later record": _set(change="Policies", number=4, previous=f"sha256:{'0' * 64}"),
    "a name twice": _seat(name="member-1"),
    "a key twice": _seat(key=KEYS[1].public_key.pem),
    "a key twice in two spellings": _seat(key="note\n" + KEYS[1].public_key.pem),
    "a seat's key that is none": _seat(key="not a key"),
    "an administrator's key that is none": _set(admins={"keys": ["not a key"], "needed": 1}),
    "an administrator twice": _set(admins={"keys": [ADMINS.keys[0]] * 2, "needed": 1}),
    "more administrators needed": _set(admins={"keys": list(ADMINS.keys), "needed": 4}),
    "no administrator needed": _set(admins={"keys": list(ADMINS.keys), "needed": 0}),
    "a liar": _seat(quarantined=True),
    "evidence": _set(evidence=f"sha256:{'0' * 64}"),
    "quorums that do not meet": _thresholds(strict=3),
    "thresholds of another committee": _thresholds(n=6),
    "judges without a digest": _seat(judges="all"),
}


@pytest.mark.requirement("genesis: clear errors for what is none")
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_genesis(wrong: str) -> None:
    """Each is refused although nobody pinned a digest."""
    with pytest.raises(InvalidInput):
        parse_genesis(changed(WRONG[wrong]))


def test_what_is_no_document() -> None:
    """Nothing, no object, too much, and the form of releases before the chain."""
    before = {"clusterId": "c", "members": [{"name": "m", "publicKey": KEYS[0].public_key.pem}]}
    for data in (b"", b"[]", b"{}", json.dumps(before).encode()):
        with pytest.raises(InvalidInput):
            parse_genesis(data)
    with pytest.raises(LimitExceeded):
        parse_genesis(b" " * (GENESIS_BYTES_MAX + 1))


def test_what_cannot_be_made() -> None:
    """Who makes one hears the same as who reads one."""
    for thresholds, admins in (
        (Thresholds(5, 3, 3, 1), ADMINS),
        (PRESETS["ha"], ADMINS),
        (PRESETS["standard"], Admins(("not a key",), 1)),
    ):
        with pytest.raises(QuorateError):
            first_epoch("cluster-1", seats(KEYS), thresholds, admins)
