"""Text that is an action, and text that streams because it is none."""

import pytest

from quorate.consensus.conversation import Said
from quorate.consensus.freeze import Scope
from quorate.consensus.request import Band, Role
from quorate.policy.runtime import CheckRule
from quorate.risk.rules import Floor, FloorKind, RiskTable
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.openai.chat_request import ChatRequest
from quorate_sidecar.refusal import Code, Refusal
from tests.fakes.acting import ADMIN, MANIFEST, frozen
from tests.fakes.committee import DENY
from tests.unit.sidecar.acts import call_of, chat_request, code, decide, gated

CHAT_FLOOR = RiskTable(platform=False, floors=(Floor(FloorKind.CAPABILITY, "chat", Band.HIGH),))
TEXT = Said(Role.ASSISTANT, "hello")


async def test_text_is_an_action_where_a_policy_says_so() -> None:
    """A floor for answers: the members are asked, and nothing of the text streams before."""
    one = await gated(risk=(CHAT_FLOOR,))
    scene = one.gate.enter(Exchange(0.0, state=one.standing.state), None)
    assert not scene.streams_prose
    assert await decide(one, TEXT) is None
    (record,) = one.actions
    assert (record.tool, record.capability, record.decided_by) == ("", "chat", "strict")
    for member in one.members.committee.members:
        member.kept.verdicts.clear()
        member.judgement = DENY
    assert code(await decide(one, TEXT)) is Code.ACTION


CHECKS = (CheckRule("pii", "mask"), CheckRule("secrets", "deny"))
RESULT = chat_request(
    [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call_of("c1", "lookup")]},
        {"role": "tool", "content": "found", "tool_call_id": "c1"},
    ]
)


@pytest.mark.parametrize(
    ("checks", "conversation", "streams"),
    [
        (CHECKS, chat_request([{"role": "user", "content": "hi"}]), True),
        (CHECKS, RESULT, False),
        (CHECKS[1:], RESULT, True),
        ((CheckRule("secrets", "flag"),), chat_request([{"role": "user", "content": "x"}]), False),
    ],
)
async def test_text_streams_where_no_finding_could_make_it_an_action(
    checks: tuple[CheckRule, ...],
    conversation: ChatRequest,
    streams: bool,
) -> None:
    """By what the policy's checks may still find: what is denied ends the stream anyway."""
    one = await gated(checks=checks)
    scene = one.gate.enter(Exchange(0.0, state=one.standing.state), conversation)
    assert scene.streams_prose is streams


async def test_findings_of_either_side_count() -> None:
    """What was found in the request and in the answer makes one risk: with both it is medium."""
    one = await gated(DENY)
    exchange = Exchange(0.0, state=one.standing.state)
    exchange.request_tally = {("secrets", "x", "flag"): 1}
    scene = one.gate.enter(exchange, None)
    with pytest.raises(Refusal):
        await one.gate.decide(exchange, scene, [(0, TEXT)], {})
    assert (one.actions[0].band, one.actions[0].score) == ("medium", 400)
    assert await decide(one, TEXT) is None


async def test_numbers_are_frozen_with_their_pod() -> None:
    """An endpoint without words has no actions, and stops with everything else."""
    one = await gated()
    one.freezes.learn([frozen(ADMIN, Scope.CAPABILITY, "chat")])
    exchange = Exchange(0.0, state=one.standing.state)
    one.gate.enter(exchange, None)
    with pytest.raises(Refusal):
        one.gate.enter(exchange, RESULT)
    one.freezes.learn([frozen(ADMIN, Scope.MODEL_VERSION, MANIFEST)])
    with pytest.raises(Refusal):
        one.gate.enter(exchange, None)
