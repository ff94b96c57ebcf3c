"""A person's decision about one held action (v0.1), of this project: docs/reference/predicates.md.

Who decided is the signing key. The subject is the hold's id, so a decision about one request, under
one set of policies, in one epoch, at one enforcement point, is none about any other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from quorate import limits, names
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence.intoto import Statement, Subject, parse_statement
from quorate.evidence.intoto.approval import Decision
from quorate.evidence.intoto.statement import STATEMENT_TYPE
from quorate.evidence.intoto.timestamps import format_utc, parse_utc
from quorate.statements import convert

PREDICATE: Final = "https://quorate.dev/attestation/hold-decision/v0.1"
DECISION_BYTES: Final = 32 * limits.KIB
"""An envelope with a decision, signed by all who must."""


class _Predicate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"
):
    decision: Decision
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    decided_at: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldDecision:
    """What somebody decided about the hold ``hold_id``. Times are aware."""

    hold_id: str
    decision: Decision
    reason: str
    decided_at: datetime
    expires_at: datetime


def statement(decision: HoldDecision) -> bytes:
    """The payload that people sign. Raises InvalidInput for what :func:`read` would refuse."""
    predicate: dict[str, Any] = {
        "decision": decision.decision.value,
        "reason": decision.reason,
        "decidedAt": format_utc(decision.decided_at),
        "expiresAt": format_utc(decision.expires_at),
    }
    digest = decision.hold_id.removeprefix("sha256:")
    payload = Statement(
        type_=STATEMENT_TYPE,
        subject=(Subject(names.HOLD_SUBJECT, {"sha256": digest}),),
        predicate_type=PREDICATE,
        predicate=predicate,
    ).encode()
    read(payload)
    return payload


def read(payload: bytes) -> HoldDecision:
    """Read a payload, unverified. Raises InvalidInput, or SubjectMismatch for another statement."""
    found = parse_statement(payload, PREDICATE, bytes_max=DECISION_BYTES)
    if len(found.subject) != 1 or found.subject[0].name != names.HOLD_SUBJECT:
        raise SubjectMismatch(f"must be about one {names.HOLD_SUBJECT}", field="subject")
    digest = found.subject[0].digest
    if set(digest) != {"sha256"}:
        raise InvalidInput("must have a sha256 digest and no other", field="subject.digest")
    raw = convert(found.predicate, _Predicate, "hold decision")
    if not raw.reason.isprintable() or not raw.reason.strip():
        raise InvalidInput("must be a text of one line", field="reason")
    decided = parse_utc(raw.decided_at, "decidedAt")
    expires = parse_utc(raw.expires_at, "expiresAt")
    if not timedelta(0) < expires - decided <= timedelta(seconds=limits.HOLD_LIFE):
        message = f"must be after decidedAt by at most {limits.HOLD_LIFE} s"
        raise InvalidInput(message, field="expiresAt")
    return HoldDecision(
        hold_id=f"sha256:{digest['sha256']}",
        decision=raw.decision,
        reason=raw.reason,
        decided_at=decided,
        expires_at=expires,
    )
