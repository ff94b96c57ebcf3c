"""The records that people may propose after a head, made from it. Everything else stays as it is.

Each raises as :func:`quorate.consensus.succession.check`: what no member would sign is not made. A
quarantine is made from its evidence instead (:mod:`quorate.consensus.quarantine`).
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from quorate.consensus import succession
from quorate.consensus.epoch import RELEASED_MAX, Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput
from quorate.keys import load_public_key


def membership(
    head: Epoch,
    reason: str,
    *,
    seats: tuple[Seat, ...] | None = None,
    thresholds: Thresholds | None = None,
    admins: Admins | None = None,
) -> EpochRecord:
    """Other members, other thresholds, or other people who administer."""
    changes = {"seats": seats, "thresholds": thresholds, "admins": admins}
    given = {name: value for name, value in changes.items() if value is not None}
    for key in () if admins is None else admins.keys:
        load_public_key(key)
    return _changed(head, Change.MEMBERSHIP, reason, given)


def replacement(
    head: Epoch,
    reason: str,
    member: str,
    *,
    by: str,
    key: str,
    failure_domain: str | None = None,
    judges: str | None = None,
) -> EpochRecord:
    """``by`` takes the seat of ``member``, with a key of its own; what is not said stays as that
    seat has it, but for a quarantine. Raises InvalidInput for nobody, or for no key."""
    load_public_key(key)
    old = head.seat(member)
    if old is None:
        raise _nobody(member, head.record.seats)
    joins = msgspec.structs.replace(
        old,
        name=by,
        key=key,
        failure_domain=failure_domain or old.failure_domain,
        judges=judges or old.judges,
        quarantined=False,
    )
    seats = tuple(joins if seat == old else seat for seat in head.record.seats)
    return membership(head, reason, seats=seats)


def recovery(
    head: Epoch,
    reason: str,
    *,
    seats: tuple[Seat, ...] | None = None,
    thresholds: Thresholds | None = None,
) -> EpochRecord:
    """What the administrators alone put in force when the members cannot; it may change nothing,
    after a vote that was split. Keys that it takes out are believed nothing any more."""
    changes = {"seats": seats, "thresholds": thresholds}
    given = {name: value for name, value in changes.items() if value is not None}
    return _next(head, Change.RECOVERY, reason, given)


def readmission(
    head: Epoch, reason: str, member: str, key: str, evidence: str | None
) -> EpochRecord:
    """``member``, which is under quarantine, votes again: with another key.

    ``evidence`` is the digest of its run of clean canaries; None says that administrators vouch for
    it without one.
    """
    seats = with_key(head.record.seats, member, key)
    seats = tuple(
        msgspec.structs.replace(seat, quarantined=False) if seat.name == member else seat
        for seat in seats
    )
    return _changed(head, Change.READMISSION, reason, {"seats": seats, "evidence": evidence})


def policies(head: Epoch, reason: str, digest: str) -> EpochRecord:
    """Other ClusterSafetyPolicies are in force."""
    return _changed(head, Change.POLICIES, reason, {"policies": digest})


def canaries(head: Epoch, reason: str, root: str | None) -> EpochRecord:
    """Other canaries may be revealed, or none any more."""
    return _changed(head, Change.CANARIES, reason, {"canaries": root})


def release(head: Epoch, reason: str, orders: Collection[str]) -> EpochRecord:
    """These freezes, by id, hold no longer. The oldest of RELEASED_MAX are forgotten: no freeze
    lives for so long."""
    fresh = sorted(set(orders) - set(head.record.released))
    if len(fresh) > RELEASED_MAX:
        raise InvalidInput(f"more than {RELEASED_MAX} at once", field="epoch.released")
    released = (*head.record.released, *fresh)[-RELEASED_MAX:]
    return _changed(head, Change.RELEASE, reason, {"released": released})


def with_key(seats: tuple[Seat, ...], member: str, key: str) -> tuple[Seat, ...]:
    """``seats`` with another key for ``member``. Raises InvalidInput for nobody, or for no key."""
    load_public_key(key)
    if all(seat.name != member for seat in seats):
        raise _nobody(member, seats)
    return tuple(
        msgspec.structs.replace(seat, key=key) if seat.name == member else seat for seat in seats
    )


def without(seats: tuple[Seat, ...], member: str) -> tuple[Seat, ...]:
    """``seats`` but that of ``member``. Raises InvalidInput for nobody."""
    left = tuple(seat for seat in seats if seat.name != member)
    if len(left) == len(seats):
        raise _nobody(member, seats)
    return left


def _nobody(member: str, seats: tuple[Seat, ...]) -> InvalidInput:
    known = ", ".join(seat.name for seat in seats)
    return InvalidInput(f"{member} is none of the members: {known}", field="member")


def _changed(head: Epoch, change: Change, reason: str, given: Mapping[str, Any]) -> EpochRecord:
    record = _next(head, change, reason, given)
    if all(getattr(head.record, name) == value for name, value in given.items()):
        raise InvalidInput("changes nothing", field="epoch")
    return record


def _next(head: Epoch, change: Change, reason: str, given: Mapping[str, Any]) -> EpochRecord:
    if not 1 <= len(reason) <= 1_024 or not reason.isprintable():
        raise InvalidInput("must be one line of at most 1024 characters", field="reason")
    record = msgspec.structs.replace(
        head.record,
        number=head.record.number + 1,
        previous=head.digest_text,
        change=change,
        reason=reason,
        **({"evidence": None} | dict(given)),
    )
    succession.check(head, record)
    return record
