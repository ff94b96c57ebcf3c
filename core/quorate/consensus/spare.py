"""The record by which a spare takes the seat of a member under quarantine. It needs people.

Who prepares one decides nothing: it is a Membership record like any other, which administrators
and members sign. It changes one seat only, so that people need not read more of it than that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.consensus import successors
from quorate.consensus.epoch import Epoch, EpochRecord, Seat, material_of
from quorate.consensus.history import History
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.statements import Identifier, convert

SPARES_MAX: Final = MEMBERS_MAX
_NAME: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LABEL = re.compile(_NAME, re.ASCII).fullmatch


class Spare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A member that has no seat, and may be given one. Its key it tells itself."""

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$")]
    """A DNS label: it is part of the host where it is reached."""
    failure_domain: Identifier
    """What it would fail together with."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Who leaves, and the seat of who comes."""

    leaves: str
    joins: Seat


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    spares: Annotated[tuple[Spare, ...], msgspec.Meta(max_length=SPARES_MAX)]


def read(document: object) -> tuple[Spare, ...]:
    """``{"spares": […]}``: those of an installation, in the order in which they are taken.

    Raises InvalidInput.
    """
    spares = convert(document, _Document, "committee").spares
    if len({one.name for one in spares}) != len(spares):
        raise InvalidInput("names one twice", field="spares")
    return spares


def leaving(head: Epoch) -> str | None:
    """The member under quarantine whose seat is given away next; one at a time."""
    return next((seat.name for seat in head.record.seats if seat.quarantined), None)


def free(head: Epoch, spares: Sequence[Spare]) -> tuple[Spare, ...]:
    """Those that have no seat."""
    return tuple(one for one in spares if head.seat(one.name) is None)


def propose(history: History, spare: Spare, key: str) -> EpochRecord:
    """``spare`` with ``key`` takes the seat of :func:`leaving`, and goes by that seat's judges.

    The same record from the same arguments. Raises InvalidInput if nobody is under quarantine, for
    a spare that has a seat, a key that has or had the word of a liar, or a committee that nobody
    administers; SubjectMismatch as :func:`quorate.consensus.succession.check`.
    """
    head = history.head
    member = leaving(head)
    if member is None:
        raise InvalidInput("nobody is under quarantine", field="spare")
    if not head.record.admins.keys:
        raise InvalidInput("nobody administers this committee", field="spare")
    _check_key(history, spare.name, key)
    reason = f"{member} is under quarantine: {spare.name} takes its seat"
    return successors.replacement(
        head, reason, member, by=spare.name, key=key, failure_domain=spare.failure_domain
    )


def check(history: History, record: EpochRecord) -> Replacement:
    """What ``record`` does after the newest epoch of ``history``, if it is no more than
    :func:`propose` would: whoever prepared it.

    Raises SubjectMismatch for one that follows another epoch or changes anything else, InvalidInput
    as :func:`propose`.
    """
    head = history.head
    if record.previous != head.digest_text:
        raise SubjectMismatch(
            f"it follows {record.previous}, and the newest epoch is {head.record.number}",
            field="record",
            fix="wait: another one is prepared",
        )
    after = {seat.name: seat for seat in record.seats}
    left = [seat for seat in head.record.seats if seat.name not in after]
    joined = [seat for seat in record.seats if head.seat(seat.name) is None]
    if len(left) != 1 or len(joined) != 1 or not left[0].quarantined:
        raise SubjectMismatch("it does not replace one member under quarantine", field="record")
    (gone,), (seat,) = left, joined
    if not _LABEL(seat.name):
        raise InvalidInput("must be a DNS label", field="record.seats[].name")
    _check_key(history, seat.name, seat.key)
    domain = seat.failure_domain
    expected = successors.replacement(
        head, record.reason, gone.name, by=seat.name, key=seat.key, failure_domain=domain
    )
    if record != expected:
        raise SubjectMismatch("it changes more than who has that seat", field="record")
    return Replacement(gone.name, seat)


def _check_key(history: History, spare: str, key: str) -> None:
    material = material_of(key)
    if material in history.revoked:
        raise InvalidInput(f"{spare} has the key of a liar", field="spare")
    if any(material_of(seat.key) == material for seat in history.head.record.seats):
        raise InvalidInput(f"{spare} has the key of a member", field="spare")
