"""Risky actions over real sockets: a client, the proxy, a model server that calls tools, and
members of a committee as HTTPS servers.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quorate import names
from quorate.consensus.freeze import Scope
from quorate.consensus.hold_decision import HoldDecision, statement
from quorate.consensus.thresholds import PRESETS
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.risk.route import Approvers, Voting
from quorate.risk.rules import ActionClass, RiskTable, Tool, Weight
from quorate_io.member_api import ASKS_TYPE
from tests.fakes.acting import ADMIN, frozen
from tests.fakes.committee import APPROVE, DENY, HARD
from tests.fakes.vouching import signer
from tests.integration.sidecar.committee_stand import Nodes, nodes
from tests.integration.sidecar.stand import DONE, Stand, answers, chat, chunk, sends, stand

CHIEF = signer()
TABLE = RiskTable(
    platform=True,
    tools=(
        Tool("lookup", "database", ActionClass.READ),
        Tool("save", "database", ActionClass.WRITE),
        Tool("transfer", "payments", ActionClass.PAY),
    ),
    weights=(Weight(ActionClass.READ, 200),),
)
VOTING = Voting(approvers=(Approvers(1, (CHIEF.public_key.pem,)),))
DECISIONS = "/quorate/v1/hold-decisions"


@asynccontextmanager
async def served(
    folder: Path, preset: str = "standard", **voting: Any
) -> AsyncIterator[tuple[Stand, Nodes]]:
    """A proxy under a policy that says what is risky, before a committee."""
    async with nodes(folder, PRESETS[preset]) as found:
        how = Voting(approvers=VOTING.approvers, **voting)
        async with stand(folder, found.client, risk=(TABLE,), voting=how) as proxy:
            yield proxy, found
            assert proxy.report().intact


def calling(*tools: str, **arguments: Any) -> dict[str, Any]:
    """A whole answer that calls these tools."""
    made = [
        {
            "id": f"c{number}",
            "type": "function",
            "function": {"name": tool, "arguments": json.dumps(arguments)},
        }
        for number, tool in enumerate(tools)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "demo"}
    return {**head, "choices": [choice]}


def streaming(tool: str, **arguments: Any) -> list[bytes]:
    """The events of an answer that says something, then calls a tool in small pieces."""
    text = json.dumps(arguments)
    first = {"index": 0, "id": "c0", "type": "function", "function": {"name": tool}}
    pieces = [
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in text
    ]
    return [
        chunk({"role": "assistant", "content": "one moment"}),
        chunk({"tool_calls": [first]}),
        *pieces,
        chunk({}, "tool_calls"),
        DONE,
    ]


def actions(proxy: Stand) -> list[dict[str, Any]]:
    """The decisions in the audit log."""
    return [body for body in proxy.records() if body["kind"] == "action"]


async def ask(proxy: Stand) -> tuple[int, str, str]:
    """Status, code and message of one request; empty if it was answered."""
    status, body = await proxy.post(chat())
    error = body.get("error", {})
    return status, error.get("code", ""), error.get("message", "")


async def attempt(proxy: Stand, tool: str, number: int, *, stream: bool) -> bool:
    """Whether a call of ``tool`` reaches the client. What is denied says so, and nothing else."""
    if not stream:
        proxy.script = answers(calling(tool, number=number))
        status, code, _ = await ask(proxy)
        assert (status, code) in ((200, ""), (403, "ActionDenied"))
        return status == 200
    proxy.script = sends(streaming(tool, number=number))
    _, text = await proxy.stream(chat())
    assert "one moment" in text
    passed = '"id":"c0"' in text
    assert ('"code":"ActionDenied"' in text) is not passed
    return passed


@pytest.mark.requirement("run-time votes: one always approves, one is down, one 500 ms late")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tool", ["save", "transfer"])
async def test_a_liar_one_down_and_one_late_change_nothing(
    tmp_path: Path,
    tool: str,
    stream: bool,
) -> None:
    """Approved within the band's budget where the honest approve, denied where they deny."""
    async with served(tmp_path) as (proxy, found):
        liar, down, late, *honest = found.nodes
        liar.voter.judgement = APPROVE
        assert down.stop is not None
        await down.stop()
        late.seconds = 0.5
        # A busy machine may need more than 200 ms now and then: another call is another ask.
        assert any([await attempt(proxy, tool, number, stream=stream) for number in range(5)])
        assert actions(proxy)[-1]["decidedBy"] == ("fast" if tool == "save" else "strict")
        for node in honest:
            node.voter.judgement = DENY
        assert not any([await attempt(proxy, tool, 9, stream=stream) for _ in range(3)])
        assert {record["decision"] for record in actions(proxy)[-3:]} == {"deny"}
        assert {kind for node in found.nodes for kind in node.types} == {ASKS_TYPE}
        assert all(token == "Bearer token" for s in found.servers for token in s.tokens)


async def test_without_members_only_the_sidecars_own_decisions_pass(tmp_path: Path) -> None:
    """At once, not at the deadline: a member whose connection is refused is lost."""
    async with served(tmp_path, strict_ms=5000) as (proxy, found):
        for node in found.nodes[:2]:
            assert node.stop is not None
            await node.stop()
        proxy.script = answers(calling("transfer"))
        began = time.monotonic()
        status, code, message = await ask(proxy)
        assert (status, code) == (403, "ActionDenied")
        assert "QuorumUnreachable" in message
        assert time.monotonic() - began < 4.0
        proxy.script = answers(calling("lookup"))
        assert (await ask(proxy))[0] == 200


async def test_unreadable_arguments_reach_nobody(tmp_path: Path) -> None:
    """Not the members either; what other tools there were does not leave."""
    async with served(tmp_path, "dev") as (proxy, found):
        answer = calling("lookup", "save")
        answer["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"] = '{"a":'
        proxy.script = answers(answer)
        status, code, message = await ask(proxy)
        assert (status, code) == (403, "ActionDenied")
        assert "ArgumentsNotUnderstood" in message
        assert found.nodes[0].asked == 0


@pytest.mark.requirement("HOLD stays a DENY until a signed human approval for that digest arrives")
async def test_a_hold_is_turned_once_by_a_signed_decision(tmp_path: Path) -> None:
    """The answer to the client names the hold; the decision is delivered to the same port."""
    async with served(tmp_path) as (proxy, found):
        found.nodes[0].voter.judgement = HARD
        # The hard denial is there before the quorum is.
        for node in found.nodes[1:]:
            node.seconds = 0.05
        proxy.script = answers(calling("transfer", amount=5))
        status, body = await proxy.post(chat())
        assert (status, body["error"]["code"]) == (403, "ActionHeld")
        hold_id = body["error"]["param"]
        now = datetime.now(UTC)
        decision = HoldDecision(
            hold_id=hold_id,
            decision=Decision.APPROVED,
            reason="looked at",
            decided_at=now,
            expires_at=now + timedelta(minutes=5),
        )
        # The proxy's clock is turned by hand.
        proxy.clock.at = now + timedelta(seconds=1)
        payload = statement(decision)
        for keys, expected in (([signer()], 403), ([CHIEF], 200), ([CHIEF], 403)):
            envelope = dsse.sign(payload, names.INTOTO_TYPE, keys)
            status, body = await proxy.post(envelope, DECISIONS)
            assert status == expected, body
        assert (await ask(proxy))[0] == 200
        assert (await ask(proxy))[1] == "ActionDenied"
        kinds = [body["kind"] for body in proxy.records()]
        assert kinds.count("hold") == 1
        found_causes = [record["cause"] for record in actions(proxy)]
        assert found_causes == ["HardDenial", "PersonApproved", "PersonNeeded"]
        assert {record["hold"] for record in actions(proxy)} == {hold_id}


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("GET", b"", 405), ("POST", b"{}", 403), ("POST", b"x" * 40_000, 413)],
)
async def test_odd_decisions_are_refused(
    tmp_path: Path, method: str, body: bytes, status: int
) -> None:
    """By method, form and size."""
    async with served(tmp_path, "dev") as (proxy, _):
        headers = {"Content-Type": "application/json"}
        async with proxy.session.request(
            method, f"{proxy.url}{DECISIONS}", data=body or None, headers=headers
        ) as answer:
            assert answer.status == status


@pytest.mark.requirement("freeze: in force in every sidecar within 2 s")
async def test_a_freeze_is_in_force_within_two_seconds(tmp_path: Path) -> None:
    """For new requests, and for an ask under way; one member that tells it is enough."""
    async with served(tmp_path, strict_ms=5000) as (proxy, found):
        for node in found.nodes:
            node.seconds = 3.0
        proxy.script = answers(calling("transfer"))
        waiting = asyncio.ensure_future(ask(proxy))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        found.nodes[2].orders.append(frozen(ADMIN, Scope.NAMESPACE, "team-a"))
        status, code, message = await waiting
        assert time.monotonic() - began < 2.0
        assert (status, code) == (403, "Frozen")
        assert "drill" in message
        seen = len(proxy.seen)
        assert (await ask(proxy))[1] == "Frozen"
        assert len(proxy.seen) == seen


async def test_a_stream_under_way_is_cut_by_a_freeze(tmp_path: Path) -> None:
    """Also one that says nothing risky."""
    async with served(tmp_path, "dev") as (proxy, found):
        events: Sequence[bytes] = [chunk({"content": "word "}) for _ in range(100)]
        proxy.script = sends([*events, chunk({}, "stop"), DONE], pause=0.05)
        waiting = asyncio.ensure_future(proxy.stream(chat()))
        await asyncio.sleep(1.0)
        found.nodes[0].orders.append(frozen(ADMIN, Scope.CLUSTER))
        _, text = await waiting
        assert '"code":"Frozen"' in text
        assert 0 < text.count("word") < 100
        assert "[DONE]" not in text
