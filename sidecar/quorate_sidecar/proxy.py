"""The reverse proxy: one request in, one decision, one answer out, and a record of both.

The order is the promise: parse, check, record, forward, check, record, release. Every way out of
:meth:`Proxy.handle` that is not a checked answer is a refusal with a reason.
"""

import asyncio
import contextlib
import logging
import re

from aiohttp import web

from quorate import limits
from quorate.consensus.hold_decision import DECISION_BYTES
from quorate_sidecar import headers as header_rules
from quorate_sidecar.actions.gate import ActionGate
from quorate_sidecar.capacity import Capacity
from quorate_sidecar.examine import Examined, examine
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.forwarder import OFFLOAD_BYTES, Forwarder
from quorate_sidecar.openai.strict import encode
from quorate_sidecar.rate import TokenBucket
from quorate_sidecar.recorder import Recorder
from quorate_sidecar.refusal import Code, Refusal, error_body
from quorate_sidecar.request_body import BodyReader
from quorate_sidecar.routes import Api, Route, route
from quorate_sidecar.standing import Standing
from quorate_sidecar.upstream import Upstream

PROBE_BYTES = 4 * limits.MIB
"""The longest answer to a probe or a scrape of metrics."""

_PROBE_HEADERS = {"Host": "127.0.0.1", "Accept": "*/*", "Accept-Encoding": "identity"}
_PLAIN_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?[a-z]+=[a-zA-Z0-9.-]+)*\Z")

log = logging.getLogger(__name__)


class Proxy:
    """Handles requests; see the module."""

    def __init__(
        self,
        standing: Standing,
        upstream: Upstream,
        forwarder: Forwarder,
        recorder: Recorder,
        capacity: Capacity,
        gate: ActionGate,
    ) -> None:
        self._standing = standing
        self._upstream = upstream
        self._forwarder = forwarder
        self._recorder = recorder
        self._capacity = capacity
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._bucket: TokenBucket | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Only a cancelled task (the client left, or draining ended) raises."""
        exchange = Exchange(self._loop.time(), state=self._standing.state)
        try:
            return await self._serve(request, exchange)
        except Refusal as refusal:
            return self._refused(request, exchange, refusal)
        except asyncio.CancelledError:
            with contextlib.suppress(Refusal):
                self._recorder.end(exchange, Refusal(499, Code.CLIENT_LEFT, "the client left"))
            raise
        except Exception:
            log.exception("request %s failed", exchange.id)
            message = "an error of the sidecar itself; see its log"
            return self._refused(request, exchange, Refusal(500, Code.INTERNAL, message))

    async def _serve(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        header_rules.check_framing(request.headers)
        if exchange.state is None:
            raise self._standing.refusal() or Refusal(503, Code.NOT_READY, "no signed state yet")
        where = route(request.method, request.raw_path, exchange.rules)
        exchange.path, exchange.routed = where.label, True
        self._capacity.enter()
        try:
            if where.api is None and not where.is_decision:
                return await self._probe(request, exchange, where)
            self._take_token(exchange)
            exchange.recorded = True
            refusal = self._standing.refusal()
            if refusal is not None:
                raise refusal
            if where.api is None:
                return await self._decision(request, exchange)
            return await self._api(request, exchange, where.api)
        finally:
            self._capacity.leave()

    def _take_token(self, exchange: Exchange) -> None:
        per_minute, now = exchange.rules.requests_per_minute, exchange.started
        if self._bucket is None:
            self._bucket = TokenBucket(per_minute, now)
        self._bucket.resize(per_minute)
        if wait := self._bucket.take(now):
            message = f"the policy allows {per_minute} requests a minute to this pod"
            raise Refusal(429, Code.RATE, message, retry_after=wait)

    async def _api(
        self, request: web.BaseRequest, exchange: Exchange, api: Api
    ) -> web.StreamResponse:
        """Read and judge the request, then forward it."""
        if api is Api.MODELS:
            return await self._forwarder.forward(request, exchange, api, Examined({}))
        header_rules.check_json(request.headers)
        reader = BodyReader(self._capacity)
        try:
            body = await reader.read(request, exchange.rules.max_request_bytes)
            exchange.request_bytes = len(body)
            if len(body) < OFFLOAD_BYTES:
                examined = examine(api, body, exchange.scanner)
            else:
                examined = await asyncio.to_thread(examine, api, body, exchange.scanner)
            exchange.request_tally = examined.tally
            if examined.refusal is not None:
                raise examined.refusal
            return await self._forwarder.forward(request, exchange, api, examined)
        finally:
            reader.release()

    async def _decision(self, request: web.BaseRequest, exchange: Exchange) -> web.Response:
        """Take in what people decided about a hold: a signed envelope."""
        header_rules.check_json(request.headers)
        reader = BodyReader(self._capacity)
        try:
            body = await reader.read(request, DECISION_BYTES)
        finally:
            reader.release()
        exchange.request_bytes = len(body)
        held = self._gate.take_decision(body)
        self._recorder.end(exchange)
        answer = {
            "hold": held.terms.hold_id,
            "standing": held.standing.value,
            "expiresAt": held.expires_at.isoformat(timespec="seconds"),
        }
        headers = header_rules.answer_headers(exchange.id)
        headers["Content-Type"] = "application/json"
        return web.Response(body=encode(answer), headers=headers)

    async def _probe(
        self, request: web.BaseRequest, exchange: Exchange, where: Route
    ) -> web.StreamResponse:
        """Pass a declared probe on: no body in, a bounded body out, no other headers."""
        answer = await self._upstream.send(request.method, where.target, _PROBE_HEADERS)
        try:
            body = await self._upstream.read_bounded(answer, PROBE_BYTES)
        finally:
            self._upstream.release(answer)
        self._recorder.end(exchange)
        kind = answer.headers.get("Content-Type", "")
        headers = header_rules.answer_headers(exchange.id)
        headers["Content-Type"] = kind if _PLAIN_TYPE.match(kind) else "application/octet-stream"
        return web.Response(status=answer.status, body=body, headers=headers)

    def _refused(
        self, request: web.BaseRequest, exchange: Exchange, refusal: Refusal
    ) -> web.Response:
        """The answer for a refusal. It goes out even if no record of it can be written."""
        with contextlib.suppress(Refusal):
            self._recorder.end(exchange, refusal)
        headers = header_rules.answer_headers(exchange.id)
        headers["Content-Type"] = "application/json"
        headers["Cache-Control"] = "no-store"
        if refusal.retry_after:
            headers["Retry-After"] = str(refusal.retry_after)
        if refusal.allow:
            headers["Allow"] = refusal.allow
        body = error_body(refusal, exchange.id)
        response = web.Response(status=refusal.status, body=body, headers=headers)
        if self._standing.draining or not exchange.routed or not request.content.is_eof():
            # What may be left of a request, or follows a strange one, is not taken for the next.
            response.force_close()
        return response
