"""The votes in a record: what each says, and whether it is that member's, about this ask."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quorate.audit.records import Action
from quorate.consensus import wire
from quorate.consensus.approval import CERTIFICATE_BYTES
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.signing import Signatures, verify_vote
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate.errors import InvalidInput, QuorateError

UNREADABLE: Final = "it cannot be read"
_NO_EPOCH: Final = "its epoch is not at hand"


@dataclass(frozen=True, slots=True)
class Said:
    """One vote. ``verified`` is None where its epoch is not at hand; ``problem`` says why not."""

    member: str = ""
    verdict: str = ""
    hard: bool = False
    score: int = 0
    reasons: tuple[str, ...] = ()
    verified: bool | None = False
    problem: str = UNREADABLE
    audience: bytes = b""

    @property
    def approves(self) -> bool:
        """Whether it is for the action."""
        return self.verdict == Verdict.APPROVE.name


def read(action: Action, epochs: Mapping[str, Epoch]) -> tuple[Said, ...]:
    """The votes of a record. ``epochs`` by digest. One that cannot be read stands for all."""
    if not action.votes:
        return ()
    try:
        data = base64.b64decode(action.votes, validate=True)
        votes = wire.decode(data, wire.Certificate, bytes_max=CERTIFICATE_BYTES).votes
        signatures = KeySignatures()
        return tuple(_said(vote, action, epochs.get(action.epoch), signatures) for vote in votes)
    except (binascii.Error, InvalidInput):
        return (Said(),)


def of_certificate(data: bytes) -> Action:
    """A record of nothing but a certificate: what its first vote claims. Raises InvalidInput."""
    votes = wire.decode(data, wire.Certificate, bytes_max=CERTIFICATE_BYTES).votes
    ballots = [wire.decode(vote.ballot.body, Ballot) for vote in votes]
    approvals = sum(ballot.verdict is Verdict.APPROVE for ballot in ballots)
    return Action(
        id="",
        choice=0,
        place=0,
        tool="",
        capability="",
        action_class="",
        band="",
        score=0,
        decided_by=ballots[0].tier.value,
        decision="approve" if approvals == len(ballots) else "deny",
        cause="",
        request=f"sha256:{ballots[0].request.hex()}",
        epoch=f"sha256:{ballots[0].epoch.hex()}",
        nonce=ballots[0].nonce.hex(),
        approvals=approvals,
        others=len(ballots) - approvals,
        needed=0,
        silent={},
        votes=base64.b64encode(data).decode("ascii"),
        hold="",
        milliseconds=0,
    )


def _said(vote: Vote, action: Action, epoch: Epoch | None, signatures: Signatures) -> Said:
    ballot = wire.decode(vote.ballot.body, Ballot)
    problem = _NO_EPOCH if epoch is None else _problem(vote, action, epoch, signatures)
    return Said(
        member=ballot.member,
        verdict=ballot.verdict.name,
        hard=ballot.hard,
        score=ballot.score,
        reasons=ballot.reasons,
        verified=None if epoch is None else not problem,
        problem=problem,
        audience=ballot.audience,
    )


def _problem(vote: Vote, action: Action, epoch: Epoch, signatures: Signatures) -> str:
    """Why the vote proves nothing about this ask; empty if it does."""
    try:
        ballot, seat = verify_vote(vote, epoch, signatures)
    except QuorateError as error:
        return str(error)
    about = (f"sha256:{ballot.request.hex()}", ballot.nonce.hex(), ballot.tier.value)
    if about != (action.request, action.nonce, action.decided_by):
        return f"vote of {ballot.member} is about another ask"
    return f"{ballot.member} was under quarantine" if seat.quarantined else ""
