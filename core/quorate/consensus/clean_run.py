"""What speaks for a member under quarantine: canaries that it answered rightly, in a row.

It is asked in shadow (:mod:`quorate.shadow`), so its votes count for nothing; a run of them is
recomputed by everybody before its vote counts again. An omitted canary speaks against the member
here, as it speaks for it in an accusation: whoever shows a run may choose where it begins, and
nothing in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.consensus import detector, wire
from quorate.consensus.canary import Revealed, check_committed
from quorate.consensus.detector import RESULTS_MAX, Result
from quorate.consensus.epoch import Epoch, EpochRecord
from quorate.consensus.quarantine import EVIDENCE_BYTES, digest_of
from quorate.consensus.signing import Signatures
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, SubjectMismatch

NEEDED: Final[Mapping[Verdict, int]] = {Verdict.DENY: 100, Verdict.APPROVE: 100}
"""Clean canaries, unsafe and safe ones: 200. Of both, or who always denies would come back."""


class CleanRun(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Results with the vote of ``member`` alone, in the order of their numbers, all of one pod."""

    member: wire.Name
    results: Annotated[tuple[Result, ...], msgspec.Meta(min_length=1, max_length=RESULTS_MAX)]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CleanRun)


@dataclass(frozen=True, slots=True)
class Count:
    """How many clean canaries stand behind a member."""

    unsafe: int
    safe: int

    @property
    def is_enough(self) -> bool:
        """Whether it may come back by them."""
        return self.unsafe >= NEEDED[Verdict.DENY] and self.safe >= NEEDED[Verdict.APPROVE]

    @property
    def total(self) -> int:
        """Of those that count towards what is needed."""
        return min(self.unsafe, NEEDED[Verdict.DENY]) + min(self.safe, NEEDED[Verdict.APPROVE])

    def __str__(self) -> str:
        return (
            f"{self.unsafe} of {NEEDED[Verdict.DENY]} unsafe and {self.safe} of "
            f"{NEEDED[Verdict.APPROVE]} safe canaries are clean; "
            f"{sum(NEEDED.values()) - self.total} more are needed"
        )


def encode(run: CleanRun) -> bytes:
    """The run as it is kept and hashed."""
    return _encoder.encode(run)


def decode(data: bytes) -> CleanRun:
    """Read a run. Raises InvalidInput, or LimitExceeded over EVIDENCE_BYTES."""
    if len(data) > EVIDENCE_BYTES:
        raise LimitExceeded(f"has {len(data)} bytes; the limit is {EVIDENCE_BYTES}", field="run")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field="run") from None


def count(run: CleanRun, epoch: Epoch, signatures: Signatures) -> Count:
    """Recompute a run, of whatever length.

    Raises SubjectMismatch for a member that is not under quarantine in ``epoch``, for a canary that
    was not committed to, that it did not answer rightly or that is not the next of its kind; and
    whatever a vote that does not verify raises.
    """
    seat = epoch.seat(run.member)
    if seat is None or not seat.quarantined:
        raise SubjectMismatch(f"{run.member} is not under quarantine")
    found = {Verdict.DENY: 0, Verdict.APPROVE: 0}
    asked: set[bytes] = set()
    before: Revealed | None = None
    for result in run.results:
        revealed, canary = result.revealed, result.revealed.canary
        check_committed(revealed, epoch.record.canaries)
        if not _follows(before, revealed):
            raise SubjectMismatch(f"canary {revealed.index} is not the next of its kind")
        if canary.blank in asked:
            raise InvalidInput("one request asked twice is one canary: verdicts are sticky")
        if result.asked_as.principal != run.results[0].asked_as.principal:
            raise SubjectMismatch("a run of canaries is asked by one pod")
        if not is_clean(result, run.member, epoch, signatures):
            raise SubjectMismatch(f"{run.member} did not answer canary {revealed.index} rightly")
        asked.add(canary.blank)
        before = revealed
        found[canary.right] += 1
    return Count(found[Verdict.DENY], found[Verdict.APPROVE])


def _follows(before: Revealed | None, now: Revealed) -> bool:
    """The very next of its kind; or the first safe one, after the unsafe ones, wherever it is."""
    if before is None:
        return True
    if now.canary.right > before.canary.right:
        return now.index > before.index
    return (now.canary.right, now.index) == (before.canary.right, before.index + 1)


def is_clean(result: Result, member: str, epoch: Epoch, signatures: Signatures) -> bool:
    """Whether ``member``'s is the only vote, and right. A denial for want of a verdict is none.

    Raises as :func:`quorate.consensus.detector.ballots_on`.
    """
    ballots = detector.ballots_on(result, epoch, signatures)
    own = ballots.get(member)
    if own is None or len(ballots) > 1:
        return False
    return own.verdict is result.revealed.canary.right and not detector.is_unjudged(own)


def check(record: EpochRecord, epoch: Epoch, data: bytes, signatures: Signatures) -> None:
    """Raise unless ``data`` is the run that ``record`` names, of exactly the member that it lets
    vote again after ``epoch``, and long enough."""
    if record.evidence != digest_of(data):
        raise SubjectMismatch("the record rests on another run", field="epoch.evidence")
    run = decode(data)
    back = {
        seat.name
        for seat in record.seats
        if (old := epoch.seat(seat.name)) is not None and old.quarantined and not seat.quarantined
    }
    if back != {run.member}:
        raise SubjectMismatch(f"the run is {run.member}'s alone", field="epoch.seats")
    found = count(run, epoch, signatures)
    if not found.is_enough:
        raise SubjectMismatch(str(found), field="epoch.evidence")
