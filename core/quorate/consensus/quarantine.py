"""Quarantine: which record takes a member's vote away, and what everyone recomputes first."""

import hashlib
from typing import Final

import msgspec

from quorate import limits
from quorate.consensus import detector, equivocation
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import Change, Epoch, EpochRecord
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.signing import Signatures
from quorate.errors import InvalidInput, LimitExceeded, SubjectMismatch

EVIDENCE_BYTES: Final = 8 * limits.MIB
Evidence = Equivocation | Failures
"""What convicts by itself. Slowness, absence and disagreement do not: they are told to people."""

_encoder = msgspec.msgpack.Encoder()
_decoders: Final[dict[bytes, msgspec.msgpack.Decoder[Equivocation | Failures]]] = {
    b"e": msgspec.msgpack.Decoder(Equivocation),
    b"f": msgspec.msgpack.Decoder(Failures),
}


def encode(evidence: Evidence) -> bytes:
    """The evidence as it is kept and hashed."""
    kind = b"e" if isinstance(evidence, Equivocation) else b"f"
    return kind + _encoder.encode(evidence)


def decode(data: bytes) -> Evidence:
    """Read evidence. Raises InvalidInput, or LimitExceeded over EVIDENCE_BYTES."""
    if len(data) > EVIDENCE_BYTES:
        raise LimitExceeded(
            f"has {len(data)} bytes; the limit is {EVIDENCE_BYTES}", field="evidence"
        )
    decoder = _decoders.get(data[:1])
    if decoder is None:
        raise InvalidInput("is of no known kind", field="evidence")
    try:
        return decoder.decode(data[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field="evidence") from None


def digest_of(evidence: bytes) -> str:
    """``sha256:<hex>``, as a record names it."""
    return f"sha256:{hashlib.sha256(evidence).hexdigest()}"


def kind_of(evidence: Evidence) -> str:
    """What it is, in a word."""
    return "equivocation" if isinstance(evidence, Equivocation) else "canaries"


def convicted(evidence: Evidence, epoch: Epoch, signatures: Signatures) -> str:
    """The member that ``evidence`` convicts. Raises if it does not hold up."""
    if isinstance(evidence, Equivocation):
        return equivocation.verify(evidence, epoch, signatures)
    return detector.verify(evidence, epoch, signatures)


def accused(evidence: Evidence, epoch: Epoch, signatures: Signatures) -> str:
    """The member whose vote counts and that ``evidence`` convicts. Raises if there is none."""
    member = convicted(evidence, epoch, signatures)
    seat = epoch.seat(member)
    if seat is None or seat.quarantined:
        raise SubjectMismatch(f"{member} has no vote to lose")
    return member


def is_full(epoch: Epoch) -> bool:
    """Whether ``r`` are under quarantine: who is convicted besides keeps its vote, and people must
    act."""
    return len(epoch.members) - len(epoch.counted) >= epoch.record.thresholds.r


def propose(epoch: Epoch, evidence: Evidence, signatures: Signatures) -> EpochRecord:
    """The record that quarantines whom ``evidence`` convicts.

    Raises if it convicts nobody, or somebody who is under quarantine already, or if ``r`` are:
    one more, and the quorums would not be what they claim. Then people must act.
    """
    member = accused(evidence, epoch, signatures)
    if is_full(epoch):
        away = len(epoch.members) - len(epoch.counted)
        raise SubjectMismatch(
            f"{away} under quarantine already, and r = {epoch.record.thresholds.r}",
            fix="replace a member: kubectl quorate committee replace",
        )
    seats = tuple(
        msgspec.structs.replace(one, quarantined=True) if one.name == member else one
        for one in epoch.record.seats
    )
    return msgspec.structs.replace(
        epoch.record,
        number=epoch.record.number + 1,
        previous=epoch.digest_text,
        change=Change.QUARANTINE,
        reason=f"{member}: {kind_of(evidence)}",
        seats=seats,
        evidence=digest_of(encode(evidence)),
    )


def check(record: EpochRecord, epoch: Epoch, data: bytes, signatures: Signatures) -> None:
    """Raise unless ``data`` is the evidence ``record`` names and convicts exactly whom it takes."""
    if record.evidence != digest_of(data):
        raise SubjectMismatch("the record rests on other evidence", field="epoch.evidence")
    expected = propose(epoch, decode(data), signatures)
    if expected.seats != record.seats:
        raise SubjectMismatch("the evidence convicts somebody else", field="epoch.seats")
