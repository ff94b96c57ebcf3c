"""The epochs somebody knows, from the pinned one to the newest, and whose word they took away.

What was signed under an epoch counts while that epoch is among the recent ones and enough of its
signers were not found out since: a change of members never voids what the members before vouched
for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from quorate.consensus import succession
from quorate.consensus.epoch import Change, Epoch, material_of
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import SubjectMismatch

RECENT_MAX: Final = 64
"""Epochs whose certificates may still live: an hour's worth, and many times what is usual."""


class EpochUnknown(SubjectMismatch):
    """An epoch that this history does not hold: newer than it, long past, or of another cluster."""


@dataclass(frozen=True, slots=True)
class History:
    """``recent`` ends with the epoch in force. ``revoked`` are identity keys, by material."""

    recent: tuple[Epoch, ...]
    revoked: frozenset[str] = frozenset()

    @property
    def head(self) -> Epoch:
        """The epoch in force."""
        return self.recent[-1]

    def find(self, digest_text: str) -> Epoch:
        """A recent epoch by its digest. Raises EpochUnknown."""
        for epoch in reversed(self.recent):
            if epoch.digest_text == digest_text:
                return epoch
        raise EpochUnknown(f"epoch {digest_text} is not known, or long past")

    def standing(self, epoch: Epoch) -> dict[str, str]:
        """Identity keys of ``epoch`` whose signatures still count, by member."""
        return {
            seat.name: seat.key
            for seat in epoch.record.seats
            if not seat.quarantined and material_of(seat.key) not in self.revoked
        }


def begin(pinned: Epoch) -> History:
    """The history of who knows only the pinned epoch."""
    return History((pinned,))


def extend(history: History, certified: CertifiedRecord, signatures: Signatures) -> History:
    """With one more epoch. Raises as :func:`quorate.consensus.succession.verify`."""
    before = history.head
    after = succession.verify(before, certified, signatures)
    gone = {material_of(seat.key) for seat in after.record.seats if seat.quarantined}
    if after.record.change is Change.RECOVERY:
        # Administrators put out whom they no longer trust; a rotation only retires.
        gone |= _keys(before) - _keys(after)
    recent = (*history.recent, after)[-RECENT_MAX:]
    return replace(history, recent=recent, revoked=history.revoked | gone)


def _keys(epoch: Epoch) -> set[str]:
    return {material_of(seat.key) for seat in epoch.record.seats}


def follow(history: History, chain: Sequence[CertifiedRecord], signatures: Signatures) -> History:
    """With all of ``chain`` that is newer. Raises at the first that does not follow."""
    for certified in chain:
        if certified.record.number > history.head.record.number:
            history = extend(history, certified, signatures)
    return history
