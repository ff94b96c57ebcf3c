"""A member's side of an ask: one verdict for one request, kept before it is said. Pure.

What it said stays said for the whole epoch: who asks again gets the same answer, and from APPROVE a
verdict may only turn to DENY. So a member that is honest never signs two stories, however often it
is asked and whenever it is killed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Freezes, Target
from quorate.consensus.signing import VoteSigner, sign_ballot
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ask, Ballot, Signed, Verdict, Vote
from quorate.errors import InvalidInput, QuorateError

ASKS_MAX = 1_024
"""Asks under judgement or on their way to the disk. More are answered with an abstention."""
WAITING_MAX = 64
"""Asks that wait for one judgement."""
NO_BALLOT = bytes(wire.DIGEST_BYTES)
"""What the first ballot of an incarnation names as its ``previous``."""


class Abstain(StrEnum):
    """Why a member says nothing."""

    MALFORMED = "Malformed"
    OTHER_EPOCH = "OtherEpoch"
    FROZEN = "Frozen"
    OVERLOADED = "Overloaded"
    NOT_STORED = "VoteNotStored"
    DRAINING = "Draining"


Key = tuple[bytes, Tier]
"""What a verdict is kept under, within an epoch: the request's digest, and the tier."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a member's judges say of a request. Raises InvalidInput if no ballot could carry it."""

    verdict: Verdict
    score: int
    reasons: tuple[str, ...] = ()
    hard: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.score <= wire.SCORE_MAX:
            raise InvalidInput(f"is {self.score}, not 0 to {wire.SCORE_MAX}", field="score")
        if len(self.reasons) > wire.REASONS_MAX:
            raise InvalidInput(f"has more than {wire.REASONS_MAX}", field="reasons")
        for reason in self.reasons:
            wire.check_reason(reason)


class Kept(Protocol):
    """Reads what :class:`Persist` effects handed over, from the moment they did: before the disk
    confirms, too. No approval has to be found again, every denial has."""

    def find(self, epoch: bytes, key: Key) -> Judgement | None:
        """The verdict on ``key`` that this member gave in ``epoch``, if it is kept."""

    def is_full(self) -> bool:
        """Whether no further denial can be kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An ask that waits for a judgement. ``reply`` is the caller's word for whom to answer."""

    reply: int
    ask: Ask
    target: Target
    since: datetime


@dataclass(frozen=True, slots=True)
class Unsent:
    """A vote that waits for the disk."""

    waiting: Waiting
    sequence: int
    vote: Vote


@dataclass(frozen=True, slots=True)
class Member:
    """A member's state. ``sequence`` and ``previous`` are of the last ballot it made."""

    name: str
    epoch: Epoch
    incarnation: int
    delegation: Signed
    judges: bytes
    sequence: int = 0
    previous: bytes = NO_BALLOT
    waiting: Mapping[Key, tuple[Waiting, ...]] = field(default_factory=dict)
    unsent: tuple[Unsent, ...] = ()
    asks: int = 0
    freezes: Freezes = field(default_factory=Freezes)
    broken: bool = False
    """The disk refused a vote. Nothing more is said until the member starts again."""
    draining: bool = False


# Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """An ask arrived from somebody who may ask, about ``target``, at ``now``."""

    reply: int
    data: bytes
    target: Target
    now: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """The judges are done with a request of ``epoch``, or failed: then this is a DENY."""

    epoch: bytes
    key: Key
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Persisted:
    """All ballots up to ``sequence`` will be found after a crash."""

    sequence: int


@dataclass(frozen=True, slots=True)
class PersistFailed:
    """The disk took a ballot not, or not for certain."""


@dataclass(frozen=True, slots=True)
class EpochOpened:
    """A later epoch is in force; ``delegation`` is of this incarnation's key in it."""

    epoch: Epoch
    delegation: Signed


@dataclass(frozen=True, slots=True)
class FreezesKnown:
    """What is frozen."""

    freezes: Freezes


@dataclass(frozen=True, slots=True)
class Drain:
    """No new asks; those under way are answered."""


Event = Asked | Judged | Persisted | PersistFailed | EpochOpened | FreezesKnown | Drain

# Effects --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judge:
    """Ask the judges about a request, for at most ``left_ms``; whatever goes wrong is a DENY."""

    epoch: bytes
    key: Key
    request: bytes
    left_ms: int


@dataclass(frozen=True, slots=True)
class Persist:
    """Keep the vote, and the verdict under its key, so that a crash does not lose them."""

    sequence: int
    vote: Vote
    epoch: bytes
    key: Key
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer ``reply`` with ``data``."""

    reply: int
    data: bytes


Effect = Judge | Persist | Reply


def step(
    member: Member, event: Event, kept: Kept, signer: VoteSigner
) -> tuple[Member, tuple[Effect, ...]]:
    """What ``event`` changes, and what is to be done about it, in order."""
    match event:
        case Asked():
            return _asked(member, event, kept, signer)
        case Judged():
            return _judged(member, event, kept, signer)
        case Persisted(sequence):
            return _persisted(member, sequence)
        case PersistFailed():
            return _not_persisted(member)
        case EpochOpened(epoch, delegation):
            return _opened(member, epoch, delegation)
        case FreezesKnown(freezes):
            return _frozen(member, freezes)
        case Drain():
            return replace(member, draining=True), ()


def _asked(
    member: Member, event: Asked, kept: Kept, signer: VoteSigner
) -> tuple[Member, tuple[Effect, ...]]:
    try:
        ask = wire.decode(event.data, Ask)
    except QuorateError:
        return member, (_abstain(event.reply, Abstain.MALFORMED),)
    reason = _refusal(member, ask, event)
    if reason is not None:
        return member, (_abstain(event.reply, reason),)
    key = (wire.request_digest(ask.request), ask.tier)
    waiting = Waiting(event.reply, ask, event.target, event.now)
    judgement = kept.find(member.epoch.digest, key)
    if judgement is not None:
        counted = replace(member, asks=member.asks + 1)
        return _vote(counted, key, (waiting,), judgement, signer)
    others = member.waiting.get(key, ())
    if len(others) >= WAITING_MAX:
        return member, (_abstain(event.reply, Abstain.OVERLOADED),)
    held = {**member.waiting, key: (*others, waiting)}
    member = replace(member, waiting=held, asks=member.asks + 1)
    if others:
        return member, ()
    return member, (Judge(member.epoch.digest, key, ask.request, ask.left_ms),)


def _refusal(member: Member, ask: Ask, event: Asked) -> Abstain | None:
    if member.broken:
        return Abstain.NOT_STORED
    if member.draining:
        return Abstain.DRAINING
    if ask.epoch != member.epoch.digest:
        return Abstain.OTHER_EPOCH
    if member.asks >= ASKS_MAX:
        return Abstain.OVERLOADED
    if member.freezes.covering(event.target, member.epoch, event.now) is not None:
        return Abstain.FROZEN
    return None


def _judged(
    member: Member, event: Judged, kept: Kept, signer: VoteSigner
) -> tuple[Member, tuple[Effect, ...]]:
    waiting = member.waiting.get(event.key, ())
    if event.epoch != member.epoch.digest or not waiting:
        return member, ()
    rest = {key: value for key, value in member.waiting.items() if key != event.key}
    member = replace(member, waiting=rest)
    if member.broken:
        return _drop(member, waiting, Abstain.NOT_STORED)
    if event.judgement.verdict is Verdict.DENY and kept.is_full():
        # A denial that cannot be kept is not said: it might have to be taken back.
        return _drop(member, waiting, Abstain.NOT_STORED)
    return _vote(member, event.key, waiting, event.judgement, signer)


def _vote(
    member: Member,
    key: Key,
    waiting: tuple[Waiting, ...],
    judgement: Judgement,
    signer: VoteSigner,
) -> tuple[Member, tuple[Effect, ...]]:
    effects: list[Effect] = []
    for one in waiting:
        ballot = _ballot(member, key, one.ask, judgement)
        signed = sign_ballot(ballot, signer)
        vote = Vote(signed, member.delegation)
        member = replace(
            member,
            sequence=ballot.sequence,
            previous=wire.ballot_digest(signed.body),
            unsent=(*member.unsent, Unsent(one, ballot.sequence, vote)),
        )
        effects.append(Persist(ballot.sequence, vote, member.epoch.digest, key, judgement))
    return member, tuple(effects)


def _ballot(member: Member, key: Key, ask: Ask, judgement: Judgement) -> Ballot:
    return Ballot(
        version=wire.VERSION,
        member=member.name,
        incarnation=member.incarnation,
        sequence=member.sequence + 1,
        previous=member.previous,
        request=key[0],
        tier=ask.tier,
        epoch=member.epoch.digest,
        nonce=ask.nonce,
        audience=ask.audience,
        verdict=judgement.verdict,
        hard=judgement.hard,
        score=judgement.score,
        reasons=judgement.reasons,
        judges=member.judges,
    )


def _persisted(member: Member, sequence: int) -> tuple[Member, tuple[Effect, ...]]:
    sent = [unsent for unsent in member.unsent if unsent.sequence <= sequence]
    rest = tuple(unsent for unsent in member.unsent if unsent.sequence > sequence)
    member = replace(member, unsent=rest, asks=member.asks - len(sent))
    return member, tuple(Reply(one.waiting.reply, wire.encode(one.vote)) for one in sent)


def _not_persisted(member: Member) -> tuple[Member, tuple[Effect, ...]]:
    replies = tuple(_abstain(one.waiting.reply, Abstain.NOT_STORED) for one in member.unsent)
    asks = member.asks - len(member.unsent)
    return replace(member, unsent=(), asks=asks, broken=True), replies


def _opened(member: Member, epoch: Epoch, delegation: Signed) -> tuple[Member, tuple[Effect, ...]]:
    """Nothing that was asked under the old epoch is answered under the new one. There is no way
    back: what was said in an epoch that is over may be forgotten."""
    if epoch.record.number <= member.epoch.record.number:
        return member, ()
    asked = [one.reply for waiting in member.waiting.values() for one in waiting]
    asked += [unsent.waiting.reply for unsent in member.unsent]
    member = replace(member, epoch=epoch, delegation=delegation, waiting={}, unsent=(), asks=0)
    return member, tuple(_abstain(reply, Abstain.OTHER_EPOCH) for reply in asked)


def _frozen(member: Member, freezes: Freezes) -> tuple[Member, tuple[Effect, ...]]:
    """What a freeze covers is not answered any more, however far it has come."""

    def is_free(one: Waiting) -> bool:
        return freezes.covering(one.target, member.epoch, one.since) is None

    held: dict[Key, tuple[Waiting, ...]] = {}
    stopped: list[Waiting] = []
    for key, waiting in member.waiting.items():
        free = tuple(one for one in waiting if is_free(one))
        stopped += [one for one in waiting if one not in free]
        if free:
            held[key] = free
    unsent = tuple(one for one in member.unsent if is_free(one.waiting))
    stopped += [one.waiting for one in member.unsent if one not in unsent]
    member = replace(member, freezes=freezes, waiting=held, unsent=unsent)
    return _drop(member, tuple(stopped), Abstain.FROZEN)


def _drop(
    member: Member, waiting: tuple[Waiting, ...], reason: Abstain
) -> tuple[Member, tuple[Effect, ...]]:
    member = replace(member, asks=member.asks - len(waiting))
    return member, tuple(_abstain(one.reply, reason) for one in waiting)


def _abstain(reply: int, reason: Abstain) -> Reply:
    return Reply(reply, wire.encode(wire.Abstention(wire.VERSION, reason)))
