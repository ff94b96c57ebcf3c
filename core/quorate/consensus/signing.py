"""Signatures over messages: one tag per kind, so that none passes for another.

Keys and schemes are behind a port. The simulator puts another scheme there; the protocol does not
know which.
"""

from typing import Final, Protocol

from quorate.consensus import wire
from quorate.consensus.epoch import Epoch, Seat
from quorate.consensus.wire import Ballot, Delegation, Signed, Vote
from quorate.errors import SignatureError, SubjectMismatch

BALLOT_TAG: Final = b"quorate.dev/vote/v1\0"
DELEGATION_TAG: Final = b"quorate.dev/delegation/v1\0"


class Signatures(Protocol):
    """Verifies signatures. Both answer False for anything that does not verify, and never raise."""

    def by_vote_key(self, key: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the raw Ed25519 key ``key`` signed ``data``."""

    def by_identity(self, key: str, signature: bytes, data: bytes) -> bool:
        """Whether the PEM key ``key`` signed ``data``. Implementations remember what verified:
        a delegation is verified with every vote."""


class VoteSigner(Protocol):
    """A member's vote key."""

    @property
    def public(self) -> bytes:
        """The raw public key."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""


def sign_ballot(ballot: Ballot, signer: VoteSigner) -> Signed:
    """Sign a ballot."""
    body = wire.encode(ballot)
    return Signed(body, signer.sign(BALLOT_TAG + body))


def verify_vote(vote: Vote, epoch: Epoch, signatures: Signatures) -> tuple[Ballot, Seat]:
    """The ballot, and the seat of the member that cast it, in ``epoch``.

    Raises InvalidInput, SubjectMismatch for another epoch or for nobody of it, SignatureError.
    What the ballot is about is the caller's to compare.
    """
    ballot = wire.decode(vote.ballot.body, Ballot)
    delegation = wire.decode(vote.delegation.body, Delegation)
    seat = epoch.seat(ballot.member)
    if seat is None:
        raise SubjectMismatch(f"{ballot.member} is no member of epoch {epoch.record.number}")
    if ballot.epoch != epoch.digest or delegation.epoch != epoch.digest:
        raise SubjectMismatch(f"vote of {ballot.member} is of another epoch")
    if (delegation.member, delegation.incarnation) != (ballot.member, ballot.incarnation):
        raise SubjectMismatch(f"vote of {ballot.member} shows another's delegation")
    signed = DELEGATION_TAG + vote.delegation.body
    if not signatures.by_identity(seat.key, vote.delegation.signature, signed):
        raise SignatureError(f"delegation is not signed by {ballot.member}", field="vote")
    if not signatures.by_vote_key(
        delegation.vote_key, vote.ballot.signature, BALLOT_TAG + vote.ballot.body
    ):
        raise SignatureError(f"vote is not signed by {ballot.member}'s vote key", field="vote")
    return ballot, seat
