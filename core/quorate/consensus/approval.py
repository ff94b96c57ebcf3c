"""Approvals: votes of enough members about the same ask, verified by whoever acts on them."""

from collections.abc import Iterable
from dataclasses import dataclass

from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.signing import Signatures, verify_vote
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Certificate, Verdict, Vote
from quorate.errors import SignatureError, SubjectMismatch

CERTIFICATE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """What a vote must be about, to count: one ask of one enforcement point."""

    request: bytes
    tier: Tier
    nonce: bytes
    audience: bytes

    def check(self, ballot: Ballot) -> None:
        """Raise SubjectMismatch unless ``ballot`` is about this ask. The epoch is checked with the
        signature."""
        for name in ("request", "tier", "nonce", "audience"):
            if getattr(ballot, name) != getattr(self, name):
                raise SubjectMismatch(f"vote of {ballot.member} is about another {name}")


@dataclass(frozen=True, slots=True)
class Approval:
    """A verified approval, and who gave it."""

    subject: Subject
    voters: frozenset[str]


def certify(votes: Iterable[Vote]) -> bytes:
    """The certificate that ``votes`` are."""
    return wire.encode(Certificate(wire.VERSION, tuple(votes)))


def verify(
    certificate: bytes,
    epoch: Epoch,
    subject: Subject,
    signatures: Signatures,
    *,
    veto: bool = False,
) -> Approval:
    """Verify that enough members of ``epoch`` approved exactly ``subject``; all, with ``veto``.

    That the nonce is the caller's own, outstanding and used once is the caller's to know. Raises
    SignatureError without a quorum, SubjectMismatch, or InvalidInput. One bad vote voids it all:
    an honest asker puts none in.
    """
    parsed = wire.decode(certificate, Certificate, bytes_max=CERTIFICATE_BYTES)
    voters: set[str] = set()
    for vote in parsed.votes:
        ballot, seat = verify_vote(vote, epoch, signatures)
        subject.check(ballot)
        if ballot.verdict is not Verdict.APPROVE:
            raise SubjectMismatch(f"{ballot.member} did not approve")
        if seat.quarantined:
            raise SubjectMismatch(f"{ballot.member} is under quarantine")
        voters.add(ballot.member)
    thresholds = epoch.record.thresholds
    needed = thresholds.n if veto else thresholds.needed(subject.tier)
    if len(voters) < needed:
        raise SignatureError(f"{len(voters)} members approved; {subject.tier} needs {needed}")
    return Approval(subject, frozenset(voters))
