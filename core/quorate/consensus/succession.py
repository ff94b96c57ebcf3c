"""Whether one epoch record may follow another. Everything it does not say stays as it is.

What tightens, the members decide alone; what loosens (who is a member, who administers, a
readmission, the end of a freeze, policies, canaries) also needs the administrators' signatures.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.canonical import parse_object
from quorate.consensus import epoch as epochs
from quorate.consensus.epoch import ADMINS_MAX, RECORD_BYTES, RECORD_TAG, Change, Epoch, EpochRecord
from quorate.consensus.signing import Signatures
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.errors import InvalidInput, SignatureError, SubjectMismatch
from quorate.statements import convert


class Endorsement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature of a record: by a member of the epoch before, or by an administrator's key."""

    signer: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    signature: bytes


class CertifiedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record with the signatures that make it count, as it is kept and served (JSON)."""

    record: EpochRecord
    members: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=MEMBERS_MAX)]
    admins: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=ADMINS_MAX)]


_MAY_CHANGE: Final = {
    Change.MEMBERSHIP: {"seats", "thresholds", "admins"},
    Change.POLICIES: {"policies"},
    Change.QUARANTINE: {"seats", "evidence"},
    Change.READMISSION: {"seats"},
    Change.CANARIES: {"canaries"},
    Change.RELEASE: {"released"},
    Change.RECOVERY: {"seats", "thresholds"},
}
_ALWAYS: Final = {"number", "previous", "change", "reason", "evidence"}
_RESTS_ON_EVIDENCE: Final = {Change.QUARANTINE, Change.READMISSION}
_BY_MEMBERS_ALONE: Final = {Change.QUARANTINE}


@dataclass(frozen=True, slots=True)
class Requirement:
    """Whose signatures a record needs."""

    members: int
    admins: int


def required(before: Epoch, record: EpochRecord) -> Requirement:
    """Whose signatures make ``record`` count after ``before``."""
    admins = 0 if record.change in _BY_MEMBERS_ALONE else before.record.admins.needed
    members = 0 if record.change is Change.RECOVERY else before.record.thresholds.strict
    return Requirement(members, admins)


def check(before: Epoch, record: EpochRecord) -> Epoch:
    """The epoch that ``record`` would open after ``before``.

    Raises SubjectMismatch if it does not follow it, InvalidInput if it changes more than its kind
    of change may. Signatures are for :func:`verify`, evidence for whoever signs.
    """
    old = before.record
    if (record.cluster_id, record.number) != (old.cluster_id, old.number + 1):
        raise SubjectMismatch(f"epoch {record.number} does not follow {old.number}")
    if record.previous != before.digest_text:
        raise SubjectMismatch(f"epoch {record.number} follows another {old.number}")
    after = epochs.open_epoch(record)
    free = _ALWAYS | _MAY_CHANGE.get(record.change, set())
    for name in record.__struct_fields__:
        if name not in free and getattr(record, name) != getattr(old, name):
            raise InvalidInput(f"{record.change} may not change it", field=f"epoch.{name}")
    if record.change not in _RESTS_ON_EVIDENCE and record.evidence is not None:
        raise InvalidInput("belongs to a quarantine or a readmission", field="epoch.evidence")
    _check_seats(before, after)
    if record.change is Change.RELEASE and not set(record.released) - set(old.released):
        # It may forget older ones, or the list would be full one day: that only freezes again.
        raise InvalidInput("must end a freeze", field="epoch.released")
    return after


def _check_seats(before: Epoch, after: Epoch) -> None:
    change = after.record.change
    if change is Change.QUARANTINE:
        if after.record.evidence is None:
            raise InvalidInput("a quarantine names what it rests on", field="epoch.evidence")
        _only_quarantined(before, after)
        return
    if change is Change.READMISSION:
        _readmitted(before, after)
    away = {epochs.material_of(seat.key) for seat in before.record.seats if seat.quarantined}
    for seat in after.record.seats:
        if epochs.material_of(seat.key) in away and not seat.quarantined:
            raise InvalidInput(f"{seat.name} has the key of a liar", field="epoch.seats")


def _only_quarantined(before: Epoch, after: Epoch) -> None:
    changed = 0
    if list(before.members) != list(after.members):
        raise InvalidInput("a quarantine leaves the members as they are", field="epoch.seats")
    for name in after.members:
        old, new = before.seat(name), after.seat(name)
        if old == new or old is None or new is None:
            continue
        if msgspec.structs.replace(old, quarantined=True) != new:
            raise InvalidInput(f"changes more of {name}", field="epoch.seats")
        changed += 1
    if changed == 0:
        raise InvalidInput("changes nothing", field="epoch.seats")


def _readmitted(before: Epoch, after: Epoch) -> None:
    """A member that was found lying comes back; with a new key, as :func:`_check_seats` holds."""
    if list(before.members) != list(after.members):
        raise InvalidInput("a readmission leaves the members as they are", field="epoch.seats")
    changed = 0
    for name in after.members:
        old, new = before.seat(name), after.seat(name)
        if old == new or old is None or new is None:
            continue
        if not old.quarantined or new.quarantined:
            raise InvalidInput(f"{name} leaves no quarantine", field="epoch.seats")
        changed += 1
    if changed == 0:
        raise InvalidInput("changes nothing", field="epoch.seats")


def check_admins(
    before: Epoch, record: EpochRecord, signed: Iterable[Endorsement], signatures: Signatures
) -> None:
    """Raise SignatureError unless as many administrators of ``before`` as ``record`` needs signed
    it, each counted once."""
    known = set(before.record.admins.keys)
    data = RECORD_TAG + epochs.encode(record)
    admins = {
        endorsement.signer
        for endorsement in signed
        if endorsement.signer in known
        and signatures.by_identity(endorsement.signer, endorsement.signature, data)
    }
    needed = required(before, record).admins
    if len(admins) < needed:
        raise SignatureError(f"epoch {record.number} has {len(admins)} of {needed} administrators")


def verify(before: Epoch, certified: CertifiedRecord, signatures: Signatures) -> Epoch:
    """The epoch after ``before``. Raises as :func:`check`, or SignatureError with the count."""
    after = check(before, certified.record)
    need = required(before, certified.record)
    data = RECORD_TAG + epochs.encode(certified.record)
    members = {
        seat.name
        for endorsement in certified.members
        if (seat := before.seat(endorsement.signer)) is not None
        and not seat.quarantined
        and signatures.by_identity(seat.key, endorsement.signature, data)
    }
    number = certified.record.number
    if len(members) < need.members:
        raise SignatureError(f"epoch {number} has {len(members)} of {need.members} members")
    check_admins(before, certified.record, certified.admins, signatures)
    return after


def parse_certified(data: bytes) -> CertifiedRecord:
    """Read a certified record. Raises InvalidInput."""
    document = parse_object(data, bytes_max=RECORD_BYTES, what="certified record")
    return convert(document, CertifiedRecord, "certified record")
