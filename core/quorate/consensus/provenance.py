"""A chain told epoch by epoch: what each record did, and whose signatures made it count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quorate.consensus import difference
from quorate.consensus import epoch as epochs
from quorate.consensus import history as histories
from quorate.consensus.epoch import RECORD_TAG, Epoch
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import CertifiedRecord, Requirement, required


@dataclass(frozen=True, slots=True)
class Step:
    """One epoch. ``members`` and ``admins`` are those whose signatures verify: names of seats, and
    ids of keys."""

    epoch: Epoch
    needed: Requirement
    members: tuple[str, ...]
    admins: tuple[str, ...]
    changes: tuple[str, ...]


def told(pinned: Epoch, chain: Sequence[CertifiedRecord], signatures: Signatures) -> Iterator[Step]:
    """Each epoch after ``pinned``, in order. Raises as :func:`quorate.consensus.succession.verify`
    at the first that does not follow; what came before it is told by then."""
    history = histories.begin(pinned)
    for certified in chain:
        before = history.head
        history = histories.extend(history, certified, signatures)
        members, admins = signed_by(before, certified, signatures)
        lines = difference.changes(before.record, certified.record)
        yield Step(history.head, required(before, certified.record), members, admins, lines)


def signed_by(
    before: Epoch, certified: CertifiedRecord, signatures: Signatures
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Members and administrators of the epoch before who signed; each once, in its order."""
    data = RECORD_TAG + epochs.encode(certified.record)
    members = {
        one.signer
        for one in certified.members
        if (seat := before.seat(one.signer)) is not None
        and not seat.quarantined
        and signatures.by_identity(seat.key, one.signature, data)
    }
    known = set(before.record.admins.keys)
    admins = {
        one.signer
        for one in certified.admins
        if one.signer in known and signatures.by_identity(one.signer, one.signature, data)
    }
    return (
        tuple(seat.name for seat in before.record.seats if seat.name in members),
        tuple(epochs.material_of(key) for key in before.record.admins.keys if key in admins),
    )
