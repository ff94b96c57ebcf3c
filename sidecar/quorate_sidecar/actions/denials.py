"""What a client is told of an action that was not approved. Pure.

The cause, who voted how, and what to do; a tool by its name, and nothing else of the model's words.
"""

from typing import Final

from quorate.consensus import wire
from quorate.consensus.ask import Cause
from quorate.consensus.freeze import Order
from quorate.consensus.wire import Ballot, Verdict
from quorate_sidecar.actions.record import Decided, digest_text
from quorate_sidecar.actions.scene import Impossible, Planned
from quorate_sidecar.refusal import Code, Refusal

EXPLAIN: Final = "kubectl quorate committee explain-decision --id {id} FILE"
"""Reads the record, and verifies the votes in it, from the pod's audit log."""
_TOOL_CHARS = 64
_REASONS_MAX = 4
_MEANING: Final = {
    Cause.NO_QUORUM: "too few members can still approve",
    Cause.DEADLINE: "too few members answered in time",
    Cause.EPOCH_SUPERSEDED: "the committee changed meanwhile; ask again",
    Cause.HARD_DENIAL: "enough members approved, and one denied by a rule",
    Cause.FROZEN: "it was frozen meanwhile",
}


def impossible(found: Impossible) -> Refusal:
    """Of what nobody can be asked about."""
    message = f"{_place(found.choice, found.why.place)}: {found.why.reason}: {found.why.message}"
    return Refusal(403, Code.ACTION, message)


def frozen(order: Order) -> Refusal:
    """Of what a freeze covers. The reason is of whoever set it."""
    what = f"{order.scope.value} {order.name}".strip()
    until = order.expires_at.isoformat(timespec="seconds")
    message = f"{what} is frozen until {until} or a release: {order.reason}"
    return Refusal(403, Code.FROZEN, message)


def undecided(why: str) -> Refusal:
    """Of what the committee could not be asked about."""
    message = f"an action of the answer could not be decided about: {why}"
    return Refusal(503, Code.UNDECIDED, message, retry_after=1)


def denied(decided: Decided, exchange_id: str) -> Refusal:
    """Of what the committee, or people, did not approve."""
    parts = [f"{_action(decided.planned)} was denied: {decided.cause}", *_why(decided)]
    parts.append(EXPLAIN.format(id=exchange_id))
    return Refusal(403, Code.ACTION, "; ".join(parts))


def held(decided: Decided, exchange_id: str) -> Refusal:
    """Of what waits for people: which hold they would approve, and until when."""
    parts = [
        f"{_action(decided.planned)} is held: {decided.hold_id} {decided.detail}",
        *_why(decided, detail=False),
        "once people approved it, repeat the request at this pod",
        EXPLAIN.format(id=exchange_id),
    ]
    return Refusal(403, Code.HELD, "; ".join(parts), param=decided.hold_id)


def _why(decided: Decided, *, detail: bool = True) -> list[str]:
    parts = []
    cause = next((one for one in Cause if one.value == decided.cause), None)
    if cause in _MEANING:
        parts.append(_MEANING[cause])
    if detail and decided.detail:
        parts.append(decided.detail)
    if decided.asked is not None:
        parts.append(_votes(decided))
    parts.append(f"request {digest_text(decided.planned.request)}")
    return parts


def _votes(decided: Decided) -> str:
    if decided.asked is None:
        return ""
    n, needed = decided.asked.epoch.record.thresholds.n, decided.asked.outcome.needed
    ballots = [wire.decode(vote.ballot.body, Ballot) for vote in decided.votes]
    against = [ballot for ballot in ballots if ballot.verdict is not Verdict.APPROVE]
    text = (
        f"{len(ballots) - len(against)} votes for it and {len(against)} against, of "
        f"{n} members; {needed} must approve"
    )
    reasons = dict.fromkeys(reason for ballot in against for reason in ballot.reasons)
    shown = ", ".join(list(reasons)[:_REASONS_MAX])
    return f"{text} ({shown})" if shown else text


def _action(planned: Planned) -> str:
    band = planned.action.assessment.risk.band.value
    if not planned.action.tool:
        return f"choice {planned.choice} of the answer ({band})"
    place = _place(planned.choice, planned.action.place)
    return f"{place}, {planned.action.tool[:_TOOL_CHARS]} ({band}),"


def _place(choice: int, place: int) -> str:
    return f"call {place} of choice {choice}"
