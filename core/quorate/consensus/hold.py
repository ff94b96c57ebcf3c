"""Holds: actions that are denied until people approve exactly them, once, or their time ends. Pure.

A hold is of one enforcement point and in its memory. Its id says what is held: the request, the
policies, the epoch and the audience. Whatever of these changes is another hold, so an approval
serves nothing else. One that was used stays known, as used, until its time ends; an approval begins
no earlier and ends no later than the hold it is for, so none serves twice.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from quorate import limits, names
from quorate.canonical import digest_of
from quorate.consensus.ask import Decision as Asked
from quorate.consensus.epoch import Epoch
from quorate.consensus.hold_decision import DECISION_BYTES, HoldDecision, read
from quorate.consensus.wire import request_digest
from quorate.errors import (
    Expired,
    InvalidInput,
    LimitExceeded,
    QuorateError,
    SignatureError,
    SubjectMismatch,
)
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.keys import PublicKey, load_public_key
from quorate.statements import DigestText, Identifier

HOLDS_MAX: Final = 256
"""Holds of one enforcement point. One more is a plain DENY: who floods it pushes nobody out."""
KIND: Final = "quorate.dev/hold/v1"


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is held. ``policies`` are sorted, each once; ``audience`` is the enforcement point's."""

    cluster_id: Identifier
    request: DigestText
    policies: Annotated[
        tuple[DigestText, ...], msgspec.Meta(min_length=1, max_length=limits.POLICIES_PER_POD)
    ]
    epoch: DigestText
    audience: DigestText

    @property
    def hold_id(self) -> str:
        """``sha256:<hex>``, which people approve. Its kind keeps it apart from other digests."""
        return digest_of({"kind": KIND} | msgspec.to_builtins(self))


@dataclass(frozen=True, slots=True)
class People:
    """Who may approve: ``needed`` of ``keys``, by material. See :func:`people`."""

    keys: tuple[PublicKey, ...]
    needed: int


class Standing(StrEnum):
    """Where a hold is. Only APPROVED lets the action happen, and only once."""

    WAITING = "Waiting"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    USED = "Used"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold, from ``opened_at`` until just before ``expires_at``. Times are aware."""

    terms: Terms
    opened_at: datetime
    expires_at: datetime
    standing: Standing = Standing.WAITING
    decision: HoldDecision | None = None
    signers: frozenset[str] = frozenset()
    """Ids of the keys that signed the decision."""


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds of one enforcement point, by id. Immutable; every function returns another."""

    by_id: Mapping[str, Hold] = field(default_factory=dict)


def terms_of(
    *, cluster_id: str, request: bytes, policies: Collection[str], epoch: Epoch, audience: bytes
) -> Terms:
    """The terms of a request that was asked about under ``epoch`` for ``audience``."""
    return Terms(
        cluster_id=cluster_id,
        request=f"sha256:{request_digest(request).hex()}",
        policies=tuple(sorted(set(policies))),
        epoch=epoch.digest_text,
        audience=f"sha256:{audience.hex()}",
    )


def people(keys: Collection[str], needed: int) -> People:
    """The people with these PEM keys. Raises InvalidInput if one is no key, stands twice under two
    spellings, or if ``needed`` of them cannot be meant."""
    loaded = tuple(load_public_key(key) for key in keys)
    if len({key.key_id for key in loaded}) != len(loaded):
        raise InvalidInput("one key is listed twice", field="approvers.keys")
    if not 1 <= needed <= len(loaded):
        raise InvalidInput(f"must be 1 to {len(loaded)}; is {needed}", field="approvers.needed")
    return People(loaded, needed)


def sweep(holds: Holds, now: datetime) -> Holds:
    """Without what has ended. A hold whose approval ended before it waits for another."""
    return Holds(
        {
            hold_id: _waiting_again(hold) if _has_lapsed(hold, now) else hold
            for hold_id, hold in holds.by_id.items()
            if now < hold.expires_at
        }
    )


def _has_lapsed(hold: Hold, now: datetime) -> bool:
    decision = hold.decision
    return hold.standing is Standing.APPROVED and (decision is None or now >= decision.expires_at)


def _waiting_again(hold: Hold) -> Hold:
    return Hold(hold.terms, hold.opened_at, hold.expires_at)


def open_hold(holds: Holds, terms: Terms, now: datetime, life: timedelta) -> tuple[Holds, Hold]:
    """Hold ``terms`` for ``life``; one that is held already stays as it is, and ends when it would.

    Raises LimitExceeded when no more fit.
    """
    holds = sweep(holds, now)
    hold_id = terms.hold_id
    known = holds.by_id.get(hold_id)
    if known is not None:
        return holds, known
    if len(holds.by_id) >= HOLDS_MAX:
        raise LimitExceeded(f"{HOLDS_MAX} actions are held", fix="decide some, or wait")
    hold = Hold(terms, now, now + life)
    return Holds({**holds.by_id, hold_id: hold}), hold


def decide(
    holds: Holds, envelope: bytes, approvers: Collection[People], now: datetime
) -> tuple[Holds, Hold]:
    """Take in what people decided, in one DSSE envelope.

    An approval needs enough of every group in ``approvers``, a rejection one of any. Raises
    SignatureError for too few, SubjectMismatch for what is not held here or is decided already,
    Expired outside its time or the hold's, or InvalidInput. What raises changes nothing.
    """
    parsed = dsse.parse(envelope, bytes_max=DECISION_BYTES)
    claimed = read(parsed.payload)
    holds = sweep(holds, now)
    hold = holds.by_id.get(claimed.hold_id)
    if hold is None:
        raise SubjectMismatch("nothing is held here under this id, or its time has ended")
    signers = _signers(parsed, claimed.decision, approvers)
    _check_times(claimed, hold, now)
    rejected = claimed.decision is Decision.REJECTED
    open_to = {Standing.WAITING, Standing.APPROVED} if rejected else {Standing.WAITING}
    if hold.standing not in open_to:
        raise SubjectMismatch(f"the hold is {hold.standing.lower()} already")
    standing = Standing.REJECTED if rejected else Standing.APPROVED
    hold = replace(hold, standing=standing, decision=claimed, signers=signers)
    return Holds({**holds.by_id, claimed.hold_id: hold}), hold


def _signers(
    envelope: dsse.Envelope, decision: Decision, approvers: Collection[People]
) -> frozenset[str]:
    """Keys that signed: enough of every group to approve, one of any to reject."""
    if not approvers:
        raise SignatureError("no policy names anybody who may approve what is held")
    signers: set[str] = set()
    for group in approvers:
        needed = 1 if decision is Decision.REJECTED else group.needed
        try:
            signers |= dsse.verify(envelope, group.keys, needed, names.INTOTO_TYPE).signers
        except SignatureError:
            if decision is not Decision.REJECTED:
                raise
    if not signers:
        raise SignatureError("nobody who may decide signed", field="signatures")
    return frozenset(signers)


def _check_times(decision: HoldDecision, hold: Hold, now: datetime) -> None:
    if decision.decided_at > now + timedelta(seconds=limits.CLOCK_SKEW):
        raise Expired(f"the decision is from the future ({decision.decided_at.isoformat()})")
    if decision.decided_at < hold.opened_at:
        raise Expired("was decided before this was held: it is about an earlier hold")
    if decision.expires_at <= now:
        raise Expired(f"the decision ended at {decision.expires_at.isoformat()}")
    if decision.expires_at > hold.expires_at:
        raise InvalidInput(
            f"must not be after the hold's end, {hold.expires_at.isoformat()}", field="expiresAt"
        )


def use(holds: Holds, hold_id: str, now: datetime) -> tuple[Holds, Hold | None]:
    """Use an approval up: the hold, if the action may happen now, and never again for it."""
    holds = sweep(holds, now)
    hold = holds.by_id.get(hold_id)
    if hold is None or hold.standing is not Standing.APPROVED:
        return holds, None
    hold = replace(hold, standing=Standing.USED)
    return Holds({**holds.by_id, hold_id: hold}), hold


@dataclass(frozen=True, slots=True)
class Settled:
    """What comes of an ask once people are counted in. ``hold`` is what it rests or waits on."""

    decision: Asked
    hold: Hold | None = None
    reason: str = ""


def settle(
    holds: Holds, asked: Asked, terms: Terms, now: datetime, life: timedelta, *, human: bool
) -> tuple[Holds, Settled]:
    """What an ask that ended as ``asked`` comes to. ``human``: its band needs a person as well.

    People turn a HOLD, and complete an APPROVE where one is needed. They never turn a DENY.
    """
    if asked is Asked.DENY:
        return holds, Settled(asked)
    if asked is Asked.APPROVE and not human:
        return holds, Settled(asked)
    holds, used = use(holds, terms.hold_id, now)
    if used is not None:
        return holds, Settled(Asked.APPROVE, used)
    try:
        holds, hold = open_hold(holds, terms, now, life)
    except QuorateError as error:
        return holds, Settled(Asked.DENY, reason=str(error))
    if hold.standing is not Standing.WAITING:
        until = hold.expires_at.isoformat()
        return holds, Settled(Asked.DENY, hold, f"{hold.standing.lower()}; ask again after {until}")
    return holds, Settled(Asked.HOLD, hold)
