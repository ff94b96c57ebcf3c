"""The audit record of a decision. Pure."""

import base64
from dataclasses import dataclass
from typing import Final, Literal

from quorate.audit.records import EVIDENCE_CHARS, Action
from quorate.consensus import wire
from quorate.consensus.approval import certify
from quorate.consensus.ask import Decision
from quorate.consensus.wire import Vote, request_digest
from quorate.risk.actions import Unjudgeable
from quorate_io.asking import Asked
from quorate_sidecar.actions.scene import Impossible, Planned

_WORDS: Final[dict[Decision, Literal["approve", "deny", "hold"]]] = {
    Decision.APPROVE: "approve",
    Decision.DENY: "deny",
    Decision.HOLD: "hold",
}
_TOOL_CHARS = 253


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one action, and by what. ``seconds`` it took."""

    planned: Planned
    decision: Decision
    cause: str
    asked: Asked | None = None
    hold_id: str = ""
    detail: str = ""
    """For people."""
    seconds: float = 0.0

    @property
    def decided_by(self) -> str:
        """``sidecar``, or the tier that was asked."""
        tier = self.planned.route.tier
        return tier.value if tier is not None and self.asked is not None else "sidecar"

    @property
    def votes(self) -> tuple[Vote, ...]:
        """Genuine votes on it."""
        return self.asked.outcome.votes if self.asked else ()

    @property
    def approvals(self) -> int:
        """Votes for it."""
        return sum(
            wire.decode(vote.ballot.body, wire.Ballot).verdict is wire.Verdict.APPROVE
            for vote in self.votes
        )


def record(exchange_id: str, decided: Decided) -> Action:
    """The record of ``decided``."""
    planned, asked = decided.planned, decided.asked
    assessment = planned.action.assessment
    approvals = decided.approvals
    return Action(
        id=exchange_id,
        choice=planned.choice,
        place=planned.action.place,
        tool=planned.action.tool[:_TOOL_CHARS],
        capability=assessment.capability,
        action_class=assessment.action_class.value,
        band=assessment.risk.band.value,
        score=assessment.risk.score,
        decided_by=decided.decided_by,
        decision=_WORDS[decided.decision],
        cause=decided.cause,
        request=digest_text(planned.request),
        epoch=asked.epoch.digest_text if asked else "",
        nonce=asked.nonce.hex() if asked else "",
        approvals=approvals,
        others=len(decided.votes) - approvals,
        needed=asked.outcome.needed if asked else 0,
        silent=dict(asked.outcome.silent) if asked else {},
        votes=_evidence(asked),
        hold=decided.hold_id,
        milliseconds=round(decided.seconds * 1000),
    )


def unreadable(exchange_id: str, impossible: Impossible) -> Action:
    """The record of an action that nobody could be asked about."""
    why: Unjudgeable = impossible.why
    return Action(
        id=exchange_id,
        choice=impossible.choice,
        place=why.place,
        tool="",
        capability="",
        action_class="",
        band="",
        score=0,
        decided_by="sidecar",
        decision="deny",
        cause=why.reason,
        request="",
        epoch="",
        nonce="",
        approvals=0,
        others=0,
        needed=0,
        silent={},
        votes="",
        hold="",
        milliseconds=0,
    )


def digest_text(request: bytes) -> str:
    """``sha256:<hex>`` by which votes and holds name a request; empty without one."""
    return f"sha256:{request_digest(request).hex()}" if request else ""


def _evidence(asked: Asked | None) -> str:
    """The certificate, or the votes there were; nothing if they are larger than honest ones are."""
    if asked is None or not asked.outcome.votes:
        return ""
    data = asked.outcome.certificate or certify(asked.outcome.votes)
    text = base64.b64encode(data).decode("ascii")
    return text if len(text) <= EVIDENCE_CHARS else ""
