"""A real proxy on 127.0.0.2 in front of a scripted model server on 127.0.0.1, on one port."""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from quorate.audit.chain import Chain, Report, verify_lines
from quorate.consensus.thresholds import PRESETS
from quorate.policy.runtime import CheckRule, RuntimeRules
from quorate.ports import Clock
from quorate.signed_state import PodState
from quorate_sidecar.actions.committee import Committee, Members
from quorate_sidecar.actions.freezes import FreezeKeeper, FreezeSource
from quorate_sidecar.actions.gate import ActionGate
from quorate_sidecar.actions.held import HoldTable
from quorate_sidecar.audit_log import AuditLog
from quorate_sidecar.audit_writer import AuditWriter, Owner, audit_files
from quorate_sidecar.capacity import Capacity
from quorate_sidecar.forwarder import Forwarder
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.proxy import Proxy
from quorate_sidecar.recorder import Recorder
from quorate_sidecar.server import BoundedServer
from quorate_sidecar.standing import Standing
from quorate_sidecar.upstream import Upstream
from tests.fakes.acting import AUDIENCE, POD, FakeMembers
from tests.fakes.committee import FakeCommittee

MANIFEST = "sha256:" + "5" * 64
POLICY = "sha256:" + "7" * 64
CHAT = "/v1/chat/completions"
SIDECAR_HOST, MODEL_HOST = "127.0.0.2", "127.0.0.1"

Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Hands:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


def rules(port: int, **changes: Any) -> RuntimeRules:
    """Deny secrets, mask personal data, pass one probe and the metrics."""
    fields = {
        "port": port,
        "probe_paths": ("/health", "/ready?full=1"),
        "metrics_path": "/metrics",
        "max_request_bytes": 1_000_000,
        "max_response_bytes": 1_000_000,
        "requests_per_minute": 100_000,
        "checks": (CheckRule("secrets", "deny"), CheckRule("pii", "mask")),
    }
    return RuntimeRules(**{**fields, **changes})


def chat(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}


def completion(text: str, **fields: Any) -> dict[str, Any]:
    """The body of a whole answer."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "demo"}
    return {**head, "choices": [choice], "usage": usage, **fields}


def chunk(delta: dict[str, Any], reason: str | None = None, **fields: Any) -> bytes:
    """One event of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "demo"}
    return b"data: " + json.dumps({**head, "choices": [choice], **fields}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def streamed(pieces: Sequence[str]) -> list[bytes]:
    """The events of an answer whose text comes in these pieces."""
    texts = [chunk({"content": piece}) for piece in pieces]
    return [chunk({"role": "assistant", "content": ""}), *texts, chunk({}, "stop"), DONE]


def sends(events: Sequence[bytes], pause: float = 0.0) -> Script:
    """A model server that streams these bytes."""

    async def script(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for data in events:
            await response.write(data)
            await asyncio.sleep(pause)
        return response

    return script


def answers(body: Any, status: int = 200, **headers: str) -> Script:
    """A model server that answers this."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def script(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=data, status=status, headers={"Content-Type": "application/json", **headers}
        )

    return script


@dataclass
class Stand:
    """What a test looks at and turns."""

    port: int
    standing: Standing
    clock: Hands
    audit: AuditLog
    directory: Path
    capacity: Capacity
    server: BoundedServer
    registry: CollectorRegistry
    session: aiohttp.ClientSession
    stop_model: Callable[[], Awaitable[None]]
    script: Script = field(default_factory=lambda: answers(completion("Hello there")))
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://{SIDECAR_HOST}:{self.port}"

    async def post(self, body: Any, path: str = CHAT, **headers: str) -> tuple[int, Any]:
        """Send a body; the status and the JSON answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        async with self.session.post(f"{self.url}{path}", data=data, headers=sent) as answer:
            return answer.status, json.loads(await answer.read())

    async def stream(self, body: dict[str, Any]) -> tuple[int, str]:
        """Send a body; the status and the raw events."""
        async with self.session.post(f"{self.url}{CHAT}", json={**body, "stream": True}) as answer:
            return answer.status, (await answer.read()).decode()

    def records(self) -> list[dict[str, Any]]:
        """The bodies of all audit records, oldest first, without the heads."""
        found = [json.loads(line)["body"] for line in self._lines()]
        return [body for body in found if body["kind"] != "head"]

    def report(self) -> Report:
        """What the verifier says of the log."""
        return verify_lines(self._lines(), Chain())

    def _lines(self) -> list[bytes]:
        files = [path.read_bytes() for path in audit_files(self.directory)]
        return [line for data in files for line in data.splitlines(keepends=True)]

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0

    async def _model(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        return await self.script(request)


def free_port() -> int:
    """A port that nobody has on either address."""
    with socket.socket() as probe:
        probe.bind((MODEL_HOST, 0))
        return int(probe.getsockname()[1])


def text_of(events: str) -> str:
    """The text that a client puts together from events."""
    lines = [line for line in events.splitlines() if line.startswith("data: {")]
    values = [json.loads(line[6:]) for line in lines]
    return "".join(
        choice["delta"].get("content") or ""
        for value in values
        for choice in value.get("choices", ())
    )


@dataclass
class Parts:
    """A proxy put together as the service does it, but for the state's source."""

    standing: Standing
    server: BoundedServer
    upstream: Upstream
    audit: AuditLog
    capacity: Capacity
    committee: Committee
    freezes: FreezeKeeper


class Source(Members, FreezeSource, Protocol):
    """A committee's client."""


def assemble(
    audit_directory: Path,
    policy: RuntimeRules,
    clock: Clock,
    registry: CollectorRegistry,
    members: Source,
) -> Parts:
    """A proxy that is measured, allowed and not listening yet. Needs a running event loop."""
    now = clock.now()
    state = PodState(policy, MANIFEST, (POLICY,), now, now + timedelta(minutes=10))
    standing = Standing(clock, state=state, measured=MANIFEST, port=policy.port)
    standing.receipt_until = math.inf
    metrics, capacity = Metrics(registry), Capacity()
    writer = AuditWriter(audit_directory, Owner("team", "pod-0", "uid-0", POLICY), clock)
    audit = AuditLog(writer, standing, metrics)
    audit.open()
    upstream = Upstream(policy.port)
    recorder = Recorder(audit, metrics, asyncio.get_running_loop().time)
    committee = Committee(members, AUDIENCE, metrics)
    freezes = FreezeKeeper(
        members,
        lambda: committee.epoch,
        clock,
        lambda: committee.freeze(lambda target: freezes.covering(target) is not None),
    )
    gate = ActionGate(POD, standing, committee, freezes, HoldTable(clock), audit.write, metrics)
    forwarder = Forwarder(upstream, recorder, metrics, gate)
    proxy = Proxy(standing, upstream, forwarder, recorder, capacity, gate)
    server = BoundedServer(proxy.handle)
    return Parts(standing, server, upstream, audit, capacity, committee, freezes)


@asynccontextmanager
async def stand(
    directory: Path, members: Source | None = None, **changes: Any
) -> AsyncIterator[Stand]:
    """Proxy and model server, running, before a committee. ``changes`` are of the rules."""
    port, clock, registry = free_port(), Hands(), CollectorRegistry()
    members = members or FakeMembers(FakeCommittee(PRESETS["dev"]))
    parts = assemble(directory / "audit", rules(port, **changes), clock, registry, members)
    server, standing = parts.server, parts.standing
    await parts.committee.look()
    following = asyncio.ensure_future(parts.freezes.run())
    await server.listen([SIDECAR_HOST], port)
    session = aiohttp.ClientSession()
    application = web.Application(client_max_size=64_000_000)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    found = Stand(
        port, standing, clock, parts.audit, directory / "audit", parts.capacity, server, registry,
        session, runner.cleanup,
    )  # fmt: skip
    application.router.add_route("*", "/{path:.*}", found._model)
    await runner.setup()
    await web.TCPSite(runner, MODEL_HOST, port).start()
    try:
        yield found
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await session.close()
        server.stop_listening()
        await server.shutdown(1.0)
        await parts.committee.close()
        await parts.upstream.close()
        await runner.cleanup()
        parts.audit.close()
