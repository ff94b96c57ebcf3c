"""From a checked request to a checked answer: record, send, check, record, release."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from aiohttp import HttpVersion11, web

from quorate import limits
from quorate.consensus.conversation import Said
from quorate.telemetry import names
from quorate_io.reply import Reply
from quorate_sidecar import headers as header_rules
from quorate_sidecar.actions.gate import ActionGate
from quorate_sidecar.actions.scene import Scene
from quorate_sidecar.answers import check_answer, stream_guard, upstream_error
from quorate_sidecar.examine import Examined
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.openai.answer import not_understood
from quorate_sidecar.openai.strict import encode
from quorate_sidecar.recorder import Recorder
from quorate_sidecar.refusal import Code, Refusal, error_object
from quorate_sidecar.routes import Api
from quorate_sidecar.stream.guard import StreamGuard
from quorate_sidecar.stream.sse import event
from quorate_sidecar.upstream import Answer, Upstream

OFFLOAD_BYTES = 256 * limits.KIB
"""Bodies from this size are checked in a thread, so that they do not delay everybody else's."""
ERROR_BYTES = 64 * limits.KIB
"""How much of a model server's error is read to find its message."""


class Forwarder:
    """Forwards requests of the API paths."""

    def __init__(
        self, upstream: Upstream, recorder: Recorder, metrics: Metrics, gate: ActionGate
    ) -> None:
        self._upstream = upstream
        self._gate = gate
        self._recorder = recorder
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()

    async def forward(
        self, request: web.BaseRequest, exchange: Exchange, api: Api, examined: Examined
    ) -> web.StreamResponse:
        """Answer a request that was examined. Raises Refusal before the first byte went out."""
        scene = self._gate.enter(exchange, examined.conversation)
        self._recorder.begin(exchange, examined)
        headers = header_rules.upstream_headers(
            request.headers, exchange.id, stream=examined.stream
        )
        began = self._loop.time()
        answer = await self._upstream.send(request.method, api.value, headers, examined.body)
        try:
            if answer.status != 200:
                body = await self._upstream.read_bounded(answer, ERROR_BYTES)
                raise upstream_error(answer.status, body, exchange.scanner)
            _check_framing(answer, stream=examined.stream)
            if examined.stream:
                return await self._stream(request, exchange, api, answer, scene)
            body = await self._upstream.read_bounded(answer, exchange.rules.max_response_bytes)
        finally:
            self._upstream.release(answer)
        exchange.upstream_seconds = self._loop.time() - began
        return await self._release(request, exchange, api, body, scene)

    async def _release(
        self, request: web.BaseRequest, exchange: Exchange, api: Api, body: bytes, scene: Scene
    ) -> web.StreamResponse:
        """Judge a whole answer; record it, then let it go."""
        exchange.received = len(body)
        if len(body) < OFFLOAD_BYTES:
            answer = check_answer(api, body, exchange.scanner, exchange.id)
        else:
            answer = await asyncio.to_thread(check_answer, api, body, exchange.scanner, exchange.id)
        exchange.answer_tally = answer.tally
        exchange.coverage = answer.coverage
        if answer.refusal is not None:
            raise answer.refusal
        await self._gate.decide(exchange, scene, answer.said, answer.tally)
        exchange.released = len(answer.body)
        exchange.released_digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        self._recorder.end(exchange)
        # Who speaks HTTP/1.0 would wait for other words before a connection is used again.
        stays = request.keep_alive and request.version >= HttpVersion11
        return Reply(header_rules.released_head(exchange.id), answer.body, keep_alive=stays)

    async def _stream(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        api: Api,
        answer: Answer,
        scene: Scene,
    ) -> web.StreamResponse:
        """Let events out as they are decided; end with an error event if they are refused."""
        bytes_max = exchange.rules.max_response_bytes
        guard = stream_guard(
            api, exchange.scanner, exchange.id, bytes_max, streams_prose=scene.streams_prose
        )
        response = web.StreamResponse(headers=header_rules.stream_headers(exchange.id))
        digest = hashlib.sha256()
        exchange.answer_tally = guard.tally
        try:
            await response.prepare(request)
            await self._relay(exchange, guard, response, answer, digest, scene)
            if guard.refusal is not None:
                await response.write(event(encode(error_object(guard.refusal, exchange.id))))
            await response.write_eof()
        except ConnectionError:
            guard.refusal = Refusal(499, Code.CLIENT_LEFT, "the client left")
        finally:
            exchange.received = guard.received
            exchange.coverage = guard.coverage
            exchange.released_digest = f"sha256:{digest.hexdigest()}"
            self._metrics.count(names.SIDECAR_STREAM_EVENTS, by=guard.events)
        self._recorder.end(exchange, guard.refusal)
        if guard.refusal is None:
            await self._upstream.finish(answer)
        return response

    async def _relay(
        self,
        exchange: Exchange,
        guard: StreamGuard,
        response: web.StreamResponse,
        answer: Answer,
        digest: Any,
        scene: Scene,
    ) -> None:
        """Read, decide, write, until the end or a refusal. Raises ConnectionError for a client
        that left."""
        while guard.refusal is None and not guard.done:
            try:
                data = await self._upstream.read(answer)
                self._gate.check_frozen(scene)
            except Refusal as refusal:
                guard.refusal = refusal
                return
            if not data:
                guard.end()
                return
            out = guard.feed(data)
            while True:
                if out:
                    digest.update(out)
                    exchange.released += len(out)
                    await response.write(out)
                if not (pending := guard.pending):
                    break
                out = guard.decided(await self._judged(exchange, scene, guard, pending))

    async def _judged(
        self,
        exchange: Exchange,
        scene: Scene,
        guard: StreamGuard,
        pending: Sequence[tuple[int, Said]],
    ) -> Refusal | None:
        """Why choices that ended may not leave, or None."""
        try:
            await self._gate.decide(exchange, scene, pending, guard.tally)
        except Refusal as refusal:
            return refusal
        return None


def _check_framing(answer: Answer, *, stream: bool) -> None:
    """Refuse an answer of another media type than was asked for, or an encoded one."""
    wanted = "text/event-stream" if stream else "application/json"
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise not_understood("it is compressed, although it must not be")
    found = header_rules.media_type(answer.headers)
    if found != wanted:
        raise not_understood(f"it is {found[:80] or 'of no media type'}, not {wanted}")
