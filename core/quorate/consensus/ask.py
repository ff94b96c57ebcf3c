"""Asking: one broadcast, votes as they come, and an outcome before the deadline. Pure.

The asker is the enforcement point itself (a sidecar, the admission path), so nobody has to be
believed about what the members said. One round trip, no leader, no order among asks.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from msgspec import structs

from quorate.consensus import wire
from quorate.consensus.approval import Subject, certify
from quorate.consensus.epoch import Epoch
from quorate.consensus.signing import Signatures, verify_vote
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Verdict, Vote
from quorate.errors import QuorateError, SubjectMismatch, Unavailable

GUARD_SECONDS = 0.005
"""Kept of the budget for acting on the outcome."""


class Decision(StrEnum):
    """What an ask comes to. Only APPROVE lets the action happen."""

    APPROVE = "Approve"
    DENY = "Deny"
    HOLD = "Hold"
    """A DENY that a person may turn, for exactly this request."""


class Cause(StrEnum):
    """Why an ask ended as it did: stable words for metrics and answers."""

    QUORUM = "QuorumApproved"
    NO_QUORUM = "QuorumUnreachable"
    HARD_DENIAL = "HardDenial"
    DEADLINE = "DeadlineExceeded"
    EPOCH_SUPERSEDED = "EpochSuperseded"
    FROZEN = "Frozen"


class Silence(StrEnum):
    """Why no vote of a member was heard, beside the words of :class:`Abstention`."""

    UNREACHABLE = "Unreachable"
    INVALID = "InvalidAnswer"
    UNHEARD = "NotHeard"
    """It had not answered when the ask ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an ask ended. ``certificate`` is there exactly for an APPROVE."""

    decision: Decision
    cause: Cause
    votes: tuple[Vote, ...]
    certificate: bytes | None = None
    needed: int = 0
    """Approvals that were asked for."""
    silent: tuple[tuple[str, str], ...] = ()
    """Members without a vote, and why in a word: nothing that anybody acts on."""


@dataclass(frozen=True, slots=True)
class Asking:
    """An ask under way. Times are the asker's own monotonic seconds."""

    ask: Ask
    subject: Subject
    epoch: Epoch
    deadline: float
    needed: int
    approvals: tuple[Vote, ...] = ()
    others: tuple[Vote, ...] = ()
    hard: bool = False
    answered: frozenset[str] = frozenset()
    """Members of which nothing more is expected, whatever they said."""
    lost: int = 0
    """Members whose vote counts and that will not approve."""
    silent: tuple[tuple[str, str], ...] = ()
    """Members that gave no vote, and why in a word."""
    outcome: Outcome | None = None


# Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """``member``'s channel brought ``data``."""

    member: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Unreachable:
    """``member`` cannot be asked, or answered with an error."""

    member: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later epoch is known. What was asked under the old one is not to be acted on."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze covers what is asked."""


Event = Answered | Unreachable | Ticked | Superseded | Frozen

# Effects --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send ``message`` to all of ``members``."""

    members: tuple[str, ...]
    message: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The ask ended. Comes exactly once."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Heard:
    """A genuine ballot, counted or too late: for whoever looks for liars."""

    vote: Vote
    ballot: Ballot


class Abstained(Unavailable):
    """A member answered that it does not vote, and why."""


@dataclass(frozen=True, slots=True)
class Refused:
    """``member`` answered with no vote on this ask: it abstained, or worse."""

    member: str
    error: QuorateError


Effect = Broadcast | Finished | Heard | Refused


def begin(
    epoch: Epoch,
    tier: Tier,
    request: bytes,
    *,
    nonce: bytes,
    audience: bytes,
    now: float,
    budget: float,
    veto: bool = False,
) -> tuple[Asking, tuple[Effect, ...]]:
    """Ask all members about ``request``, for at most ``budget`` seconds from ``now``.

    ``nonce`` must be fresh randomness. With ``veto`` every member must approve. All are asked, also
    those under quarantine: their votes count for nothing here and show whether they still lie.
    """
    left_ms = max(0, min(int((budget - GUARD_SECONDS) * 1000), wire.LEFT_MS_MAX))
    ask = Ask(wire.VERSION, tier, epoch.digest, nonce, audience, left_ms, request)
    subject = Subject(wire.request_digest(request), tier, nonce, audience)
    thresholds = epoch.record.thresholds
    needed = thresholds.n if veto else thresholds.needed(tier)
    asking = Asking(
        ask=ask,
        subject=subject,
        epoch=epoch,
        deadline=now + left_ms / 1000,
        needed=needed,
        lost=thresholds.n - len(epoch.counted),
    )
    broadcast = Broadcast(tuple(epoch.members), wire.encode(ask))
    asking, ended = _settle(asking)
    return asking, (broadcast, *ended)


def message(asking: Asking, now: float) -> bytes | None:
    """The ask as it is to be sent at ``now``, with the time that is left by then; None if that is
    too little for anybody to answer."""
    left_ms = int((asking.deadline - now) * 1000)
    if left_ms < wire.LEFT_MS_MIN:
        return None
    ask = asking.ask
    return wire.encode(structs.replace(ask, left_ms=min(left_ms, ask.left_ms)))


def step(
    asking: Asking, event: Event, now: float, signatures: Signatures
) -> tuple[Asking, tuple[Effect, ...]]:
    """What ``event`` at ``now`` changes. Any number of events may follow the end."""
    if asking.outcome is None and now >= asking.deadline:
        # Before the event: what comes at the deadline comes too late.
        asking, ended = _end(asking, Decision.DENY, Cause.DEADLINE)
        after, more = _dispatch(asking, event, signatures)
        return after, (*ended, *more)
    return _dispatch(asking, event, signatures)


def _dispatch(
    asking: Asking, event: Event, signatures: Signatures
) -> tuple[Asking, tuple[Effect, ...]]:
    match event:
        case Answered(member, data):
            return _answered(asking, member, data, signatures)
        case Unreachable(member):
            return _lose(asking, member, Silence.UNREACHABLE)
        case Superseded():
            return _end(asking, Decision.DENY, Cause.EPOCH_SUPERSEDED)
        case Frozen():
            return _end(asking, Decision.DENY, Cause.FROZEN)
        case Ticked():
            return asking, ()


def _answered(
    asking: Asking, member: str, data: bytes, signatures: Signatures
) -> tuple[Asking, tuple[Effect, ...]]:
    try:
        vote = wire.decode_answer(data)
        if isinstance(vote, Abstention):
            raise Abstained(vote.reason)
        ballot, seat = verify_vote(vote, asking.epoch, signatures)
        if ballot.member != member:
            raise SubjectMismatch(f"{member} answered with a vote of {ballot.member}")
        asking.subject.check(ballot)
    except QuorateError as error:
        why = str(error.message) if isinstance(error, Abstained) else Silence.INVALID
        asking, ended = _lose(asking, member, why)
        return asking, (Refused(member, error), *ended)
    heard = Heard(vote, ballot)
    if member in asking.answered or asking.outcome is not None:
        return asking, (heard,)
    asking = replace(asking, answered=asking.answered | {member})
    if seat.quarantined:
        return asking, (heard,)
    if ballot.verdict is Verdict.APPROVE:
        asking = replace(asking, approvals=(*asking.approvals, vote))
    else:
        hard = asking.hard or (ballot.verdict is Verdict.DENY and ballot.hard)
        asking = replace(asking, others=(*asking.others, vote), hard=hard, lost=asking.lost + 1)
    asking, ended = _settle(asking)
    return asking, (heard, *ended)


def _lose(asking: Asking, member: str, why: str) -> tuple[Asking, tuple[Effect, ...]]:
    seat = asking.epoch.seat(member)
    if seat is None or member in asking.answered:
        return asking, ()
    lost = asking.lost + (0 if seat.quarantined else 1)
    silent = (*asking.silent, (member, str(why)))
    return _settle(replace(asking, answered=asking.answered | {member}, lost=lost, silent=silent))


def _settle(asking: Asking) -> tuple[Asking, tuple[Effect, ...]]:
    """End the ask if no further vote could change how."""
    if len(asking.approvals) >= asking.needed:
        if asking.hard and asking.subject.tier is Tier.STRICT:
            return _end(asking, Decision.HOLD, Cause.HARD_DENIAL)
        return _end(asking, Decision.APPROVE, Cause.QUORUM)
    if asking.lost > asking.epoch.record.thresholds.n - asking.needed:
        return _end(asking, Decision.DENY, Cause.NO_QUORUM)
    return asking, ()


def _end(asking: Asking, decision: Decision, cause: Cause) -> tuple[Asking, tuple[Effect, ...]]:
    if asking.outcome is not None:
        return asking, ()
    votes = (*asking.approvals, *asking.others)
    certificate = certify(asking.approvals) if decision is Decision.APPROVE else None
    unheard = (
        (name, Silence.UNHEARD.value)
        for name in asking.epoch.members
        if name not in asking.answered
    )
    silent = (*asking.silent, *unheard)
    outcome = Outcome(decision, cause, votes, certificate, asking.needed, silent)
    return replace(asking, outcome=outcome), (Finished(outcome),)
