"""A human's approval (v0.1), of this project: docs/reference/predicates.md.

Who approved is the signing key, and nothing inside says otherwise. An approval is for named gates,
perhaps for certain namespaces only, gives a reason, and ends. A rejection is evidence as well.
That of an exception (quorate.policy.exceptions) may be for no gate: as evidence it counts for none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import format_utc, parse_utc
from quorate.statements import convert

LIFE_MAX: Final = 366 * 24 * 3600
"""The longest life of an approval, in seconds."""
_WHAT: Final = "approval predicate"
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")]


class Decision(StrEnum):
    """What the approver decided."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class _Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gates: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=16)]
    namespaces: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=64)] = ()


class _Predicate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"
):
    decision: Decision
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    scope: _Scope
    decided_at: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's decision about a model. Times are aware; no namespaces means any."""

    decision: Decision
    reason: str
    gates: tuple[str, ...]
    namespaces: tuple[str, ...] = ()
    decided_at: datetime
    expires_at: datetime

    @property
    def predicate(self) -> dict[str, Any]:
        """The JSON object that :func:`parse` reads. Raises InvalidInput, as it does."""
        value = {
            "decision": self.decision.value,
            "reason": self.reason,
            "scope": {"gates": list(self.gates), "namespaces": list(self.namespaces)},
            "decidedAt": format_utc(self.decided_at),
            "expiresAt": format_utc(self.expires_at),
        }
        parse(value)
        return value


def parse(predicate: Mapping[str, Any]) -> Approval:
    """Read a predicate. Raises InvalidInput; no unknown field is accepted."""
    raw = convert(predicate, _Predicate, _WHAT)
    if not raw.reason.isprintable() or not raw.reason.strip():
        raise InvalidInput("must be a text of one line", field="reason")
    decided = parse_utc(raw.decided_at, "decidedAt")
    expires = parse_utc(raw.expires_at, "expiresAt")
    if not timedelta(0) < expires - decided <= timedelta(seconds=LIFE_MAX):
        raise InvalidInput(f"must be after decidedAt by at most {LIFE_MAX} s", field="expiresAt")
    return Approval(
        decision=raw.decision,
        reason=raw.reason,
        gates=raw.scope.gates,
        namespaces=raw.scope.namespaces,
        decided_at=decided,
        expires_at=expires,
    )


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate as evidence. Raises InvalidInput, also if it is for no gate."""
    approval = parse(predicate)
    if not approval.gates:
        raise InvalidInput("must name a gate", field="scope.gates")
    approved = approval.decision is Decision.APPROVED
    return Facts(
        result=Outcome.PASSED if approved else Outcome.FAILED,
        made_at=approval.decided_at,
        expires_at=approval.expires_at,
        gates=frozenset(approval.gates),
        namespaces=frozenset(approval.namespaces),
        failures=() if approved else (f"rejected: {approval.reason}",),
    )
