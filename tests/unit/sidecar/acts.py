"""Answers that act, and a gate to decide about them."""

import json
from typing import Any

from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.request import Band, Role
from quorate.risk.route import Approvers, Voting
from quorate.risk.rules import ActionClass, Floor, FloorKind, RiskTable, Tool, Weight
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.openai.chat_request import CHAT_REQUEST, ChatRequest
from quorate_sidecar.refusal import Code, Refusal
from tests.fakes.acting import Acting, acting
from tests.fakes.committee import APPROVE
from tests.fakes.vouching import signer

CHIEF = signer()


def chat_request(messages: list[dict[str, Any]]) -> ChatRequest:
    """A request that was read."""
    return CHAT_REQUEST.decode(json.dumps({"model": "m", "messages": messages}).encode())[0]


def call_of(call_id: str, tool: str) -> dict[str, Any]:
    """A call in a request's history."""
    return {"id": call_id, "type": "function", "function": {"name": tool, "arguments": "{}"}}


TABLE = RiskTable(
    platform=True,
    tools=(
        Tool("lookup", "database", ActionClass.READ),
        Tool("save", "database", ActionClass.WRITE),
        Tool("transfer", "payments", ActionClass.PAY),
        Tool("wire", "payments", ActionClass.PAY),
    ),
    floors=(Floor(FloorKind.TOOL, "wire", Band.CRITICAL),),
    weights=(Weight(ActionClass.READ, 200),),
)
PEOPLE = Voting(fast_ms=2000, strict_ms=3000, approvers=(Approvers(1, (CHIEF.public_key.pem,)),))


def calls(*tools: str, arguments: str = "{}") -> Said:
    """An answer that calls these tools."""
    return Said(
        Role.ASSISTANT,
        "",
        tuple(Wanted(f"c{number}", tool, arguments) for number, tool in enumerate(tools)),
    )


async def gated(judgement: Any = APPROVE, **rules: Any) -> Acting:
    """A gate whose members all say the same."""
    found = await acting(**{"risk": (TABLE,), "voting": PEOPLE, **rules})
    for member in found.members.committee.members:
        member.judgement = judgement
    return found


async def decide(one: Acting, *answers: Said) -> Refusal | None:
    """Why these choices may not leave, or None."""
    exchange = Exchange(0.0, state=one.standing.state)
    try:
        scene = one.gate.enter(exchange, None)
        await one.gate.decide(exchange, scene, list(enumerate(answers)), {})
    except Refusal as refusal:
        return refusal
    return None


def code(refusal: Refusal | None) -> Code | None:
    """The code of a refusal, if it is one."""
    return refusal.code if refusal else None
