"""Successors: records that are made from a head follow it, and change what they say and no more."""

from collections.abc import Callable

import msgspec
import pytest

from quorate.consensus import difference, succession, successors
from quorate.consensus.epoch import RELEASED_MAX, Admins, Change, Epoch, EpochRecord
from quorate.consensus.thresholds import PRESETS
from quorate.errors import InvalidInput
from tests.fakes.ballots import Committee, digest, identity

C = Committee()
AWAY = Committee(quarantined=["m4"])
KEY = identity().public_key.pem
SEATS = C.epoch.record.seats
JOINED = (*SEATS, msgspec.structs.replace(SEATS[0], name="m5", key=KEY))
ADMINS = Admins((*C.epoch.record.admins.keys, KEY), 3)

MADE: list[tuple[Committee, Callable[[Epoch], EpochRecord], Change, list[str]]] = [
    (
        C,
        lambda head: successors.membership(
            head, "r", seats=successors.with_key(head.record.seats, "m1", KEY)
        ),
        Change.MEMBERSHIP,
        ["m1: key sha256:"],
    ),
    (
        C,
        lambda head: successors.membership(head, "r", seats=JOINED, thresholds=PRESETS["ha"]),
        Change.MEMBERSHIP,
        ["m5 joins: key sha256:", "thresholds: n 5 -> 6", "thresholds: fast 3 -> 4"],
    ),
    (
        C,
        lambda head: successors.membership(head, "r", admins=ADMINS),
        Change.MEMBERSHIP,
        ["administrators: sha256:", "administrators: 2 -> 3 must sign"],
    ),
    (
        AWAY,
        lambda head: successors.readmission(head, "r", "m4", KEY, None),
        Change.READMISSION,
        ["m4: key sha256:", "m4: votes again", "no run of clean canaries"],
    ),
    (
        AWAY,
        lambda head: successors.readmission(head, "r", "m4", KEY, digest("1")),
        Change.READMISSION,
        ["m4: key sha256:", "m4: votes again", f"evidence: {digest('1')}"],
    ),
    (
        C,
        lambda head: successors.release(head, "r", [digest("1")]),
        Change.RELEASE,
        [f"freeze {digest('1')} ends"],
    ),
    (
        C,
        lambda head: successors.policies(head, "r", digest("1")),
        Change.POLICIES,
        ["policies: sha256:"],
    ),
    (
        C,
        lambda head: successors.canaries(head, "r", digest("1")),
        Change.CANARIES,
        ["canaries: none -> sha256:"],
    ),
    (C, lambda head: successors.recovery(head, "r"), Change.RECOVERY, []),
    (
        C,
        lambda head: successors.recovery(
            head,
            "r",
            seats=successors.without(successors.with_key(SEATS, "m0", KEY), "m4"),
            thresholds=msgspec.structs.replace(PRESETS["standard"], n=4, strict=3, fast=3),
        ),
        Change.RECOVERY,
        ["m4 leaves", "m0: key", "thresholds: n 5 -> 4", "thresholds: strict 4 -> 3"],
    ),
]


@pytest.mark.parametrize(("committee", "make", "change", "said"), MADE)
def test_what_is_made_follows_and_says_what_it_changes(
    committee: Committee,
    make: Callable[[Epoch], EpochRecord],
    change: Change,
    said: list[str],
) -> None:
    """Each is a record that may be the next, and its difference names what it is about."""
    head = committee.epoch
    record = make(head)
    assert record.change is change
    succession.check(head, record)
    lines = difference.changes(head.record, record)
    assert len(lines) == len(said)
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True)), lines


REFUSED: list[Callable[[Epoch], EpochRecord]] = [
    lambda head: successors.membership(head, "r"),
    lambda head: successors.membership(head, "r", seats=head.record.seats),
    lambda head: successors.membership(head, "r", seats=head.record.seats[1:]),
    lambda head: successors.membership(head, "r", admins=Admins(("no key",), 1)),
    lambda head: successors.membership(
        head, "r", seats=successors.with_key(head.record.seats, "m1", head.record.seats[0].key)
    ),
    lambda head: successors.membership(
        head, "r", seats=successors.with_key(head.record.seats, "m9", KEY)
    ),
    lambda head: successors.membership(
        head, "r", seats=successors.with_key(head.record.seats, "m1", "no key")
    ),
    lambda head: successors.membership(head, "r", seats=successors.without(SEATS, "m9")),
    lambda head: successors.readmission(head, "r", "m1", KEY, None),
    lambda head: successors.release(head, "r", []),
    lambda head: successors.release(head, "r", [f"sha256:{n:064x}" for n in range(1_025)]),
    lambda head: successors.policies(head, "r", head.record.policies),
    lambda head: successors.canaries(head, "r", None),
    lambda head: successors.policies(head, "two\nlines", digest("1")),
    lambda head: successors.policies(head, "", digest("1")),
    lambda head: successors.recovery(head, "r", thresholds=PRESETS["ha"]),
]


@pytest.mark.parametrize("make", REFUSED)
def test_what_nobody_would_sign_is_not_made(make: Callable[[Epoch], EpochRecord]) -> None:
    """Nothing that changes nothing, names nobody, or breaks a rule of its kind."""
    with pytest.raises(InvalidInput):
        make(C.epoch)


def test_who_was_found_lying_returns_with_another_key_only() -> None:
    """Not by readmission with its old key, and not by a change of members."""
    old = AWAY.epoch.record.seats[4].key
    with pytest.raises(InvalidInput):
        successors.readmission(AWAY.epoch, "r", "m4", old, None)
    with pytest.raises(InvalidInput):
        successors.membership(AWAY.epoch, "r", seats=AWAY.seats(m4={"quarantined": False}))


def test_old_releases_make_room() -> None:
    """The list is bounded; what is forgotten first was released first, and people are told."""
    full = tuple(f"sha256:{n:064x}" for n in range(RELEASED_MAX))
    committee = Committee(released=full)
    record = successors.release(committee.epoch, "r", [digest("f")])
    assert record.released == (*full[1:], digest("f"))
    assert any("forgotten" in line for line in difference.changes(committee.epoch.record, record))
