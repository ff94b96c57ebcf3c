"""Epochs: who the members are, what they need, and what they have decided in order.

A chain. Number 0 is pinned with the genesis; each later record names the one before by digest and
counts once `strict` members of *that one* signed it, or the administrators in a recovery. The
Kubernetes API orders the candidates; it can hold one back, never make one.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.consensus import thresholds as rules
from quorate.consensus.thresholds import MEMBERS_MAX, Thresholds
from quorate.consensus.wire import Name
from quorate.errors import InvalidInput, QuorateError
from quorate.keys import load_public_key
from quorate.statements import DigestText, Identifier, convert

RECORD_BYTES: Final = 256 * limits.KIB
ADMINS_MAX: Final = 16
RELEASED_MAX: Final = 1_024
RECORD_TAG: Final = b"quorate.dev/epoch/v1\0"

KeyText = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class Seat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One member. ``key`` is its identity key: it signs delegations of vote keys, and epochs."""

    name: Name
    key: KeyText
    failure_domain: Identifier
    judges: DigestText
    """Of its judges: two members with the same digest are one opinion."""
    quarantined: bool = False
    """Its votes count for nothing. It still counts in n: nobody else needs fewer approvals."""


class Admins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People's keys, and how many of them must sign what the members alone must not decide."""

    keys: Annotated[tuple[KeyText, ...], msgspec.Meta(max_length=ADMINS_MAX)]
    needed: Annotated[int, msgspec.Meta(ge=1, le=ADMINS_MAX)]


class Change(StrEnum):
    """What a record does; it may do nothing else. See :mod:`quorate.consensus.succession`."""

    GENESIS = "Genesis"
    MEMBERSHIP = "Membership"
    POLICIES = "Policies"
    QUARANTINE = "Quarantine"
    READMISSION = "Readmission"
    CANARIES = "Canaries"
    RELEASE = "Release"
    RECOVERY = "Recovery"


class EpochRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is in force from this record on. Signed in its canonical form."""

    cluster_id: Identifier
    number: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    previous: DigestText | None
    change: Change
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
    seats: Annotated[tuple[Seat, ...], msgspec.Meta(min_length=1, max_length=MEMBERS_MAX)]
    thresholds: Thresholds
    admins: Admins
    policies: DigestText
    """Of the ClusterSafetyPolicies in force, compiled."""
    canaries: DigestText | None = None
    """Merkle root of the canaries that may be revealed under this record."""
    released: Annotated[tuple[DigestText, ...], msgspec.Meta(max_length=RELEASED_MAX)] = ()
    """Freezes that no longer hold. A freeze itself waits for no record."""
    evidence: DigestText | None = None
    """Of a quarantine, and of a readmission that administrators alone do not vouch for: what
    everyone recomputes before signing."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A record in force, with what is asked of it at every vote."""

    record: EpochRecord
    digest: bytes
    _seats: Mapping[str, Seat] = field(repr=False)

    def seat(self, member: str) -> Seat | None:
        """The member's seat, or None."""
        return self._seats.get(member)

    @property
    def members(self) -> Collection[str]:
        """Names of all members, whether their votes count or not."""
        return self._seats.keys()

    @property
    def counted(self) -> frozenset[str]:
        """Names of the members whose votes count."""
        return frozenset(name for name, seat in self._seats.items() if not seat.quarantined)

    @property
    def cluster_id(self) -> str:
        """Whose members these are."""
        return self.record.cluster_id

    @property
    def digest_text(self) -> str:
        """``sha256:<hex>``, as the next record names it."""
        return f"sha256:{self.digest.hex()}"


@lru_cache(maxsize=16)
def encode(record: EpochRecord) -> bytes:
    """The canonical form, which is hashed and signed. Remembered: one record is hashed, signed and
    verified in turn, and the form costs more than all of that."""
    return canonical(msgspec.to_builtins(record))


def parse(data: bytes) -> EpochRecord:
    """Read a record. Raises InvalidInput; what it says is for :func:`open_epoch` to check."""
    document = parse_object(data, bytes_max=RECORD_BYTES, what="epoch record")
    return convert(document, EpochRecord, "epoch record")


def open_epoch(record: EpochRecord) -> Epoch:
    """Check what a record says about itself, and make it usable.

    Raises InvalidInput if a name, a key or an administrator stands in it twice, if its thresholds
    do not intersect or count other members than it has, or if more than ``r`` are quarantined.
    """
    rules.check(record.thresholds)
    _unique((seat.name for seat in record.seats), "names a member twice", "seats")
    keys = (material_of(seat.key) for seat in record.seats)
    _unique(keys, "lists one key for two members", "seats")
    admins = (material_of(key) for key in record.admins.keys)
    _unique(admins, "lists an administrator's key twice", "admins")
    if record.thresholds.n != len(record.seats):
        raise _invalid("thresholds.n", f"{record.thresholds.n}, with {len(record.seats)} members")
    away = sum(seat.quarantined for seat in record.seats)
    if away > record.thresholds.r:
        raise _invalid("seats", f"{away} under quarantine; at most r = {record.thresholds.r}")
    if record.admins.keys and record.admins.needed > len(record.admins.keys):
        raise _invalid("admins.needed", f"more than the {len(record.admins.keys)} keys")
    if (record.number == 0) != (record.previous is None):
        raise _invalid("previous", "must name the record before, and 0 has none")
    if (record.number == 0) != (record.change is Change.GENESIS):
        raise _invalid("change", "Genesis is number 0, and nothing else is")
    digest = hashlib.sha256(encode(record)).digest()
    return Epoch(record, digest, {seat.name: seat for seat in record.seats})


@lru_cache(maxsize=128)
def material_of(key: KeyText) -> str:
    """What makes two key texts one key: the same key has many PEM texts. A text that is no key
    verifies nothing; it stands for itself."""
    try:
        return load_public_key(key).key_id
    except QuorateError:
        return key


def _unique(values: Iterable[str], why: str, where: str) -> None:
    seen = list(values)
    if len(set(seen)) != len(seen):
        raise _invalid(where, why)


def _invalid(where: str, why: str) -> InvalidInput:
    return InvalidInput(why, field=f"epoch.{where}")
