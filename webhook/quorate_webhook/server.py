"""The HTTPS server: reads a body within bounds and a deadline, has it answered, drains at the end.

Which path answers what is decided in :mod:`quorate_webhook.review`; nothing here waits for anything
but the body, and briefly for a pod that is to be bound before it was seen.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from aiohttp import hdrs, web

from quorate import limits
from quorate.ports import Clock
from quorate.verdict import Reason, deny
from quorate_io.reply import Reply
from quorate_webhook import envelope
from quorate_webhook.answer import Answer
from quorate_webhook.budget import Budget
from quorate_webhook.review import PATHS, World, review, unread

CONNECTIONS_MAX = 1024
"""API servers hold a few each; more are closed at once."""
BODY_BYTES_MAX = 64 * limits.MIB
"""Bodies in memory at once. Who comes later waits, until its deadline."""
IDLE_SECONDS = 120.0
"""Longer than the API server's 90: who closes first risks a request on a dying connection."""
HANDSHAKE_SECONDS = 10.0
LINGER_SECONDS = 0.5
"""How long the rest of a body that is refused unread is swallowed, so that the answer arrives."""
FINISH_SECONDS = 5.0
"""What has begun to arrive when the server stops has this long."""
_FINISH_STEP = 0.02
POD_SECONDS = 0.6
"""How long a binding waits for its pod to be seen: watches of scheduler and webhook race."""
_POD_STEP = 0.03
_FIRST_BYTES = 1024
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
READY_PATH = "/readyz"

log = logging.getLogger(__name__)


class Meter(Protocol):
    """What the server reports."""

    def reviewed(self, path: str, answer: Answer, seconds: float) -> None:
        """A review was answered, ``seconds`` after its headers."""


class _Unread(Exception):
    """The body was not read whole. ``beginning`` is how it began, with the review's uid in it."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__()
        self.beginning = beginning


class _TooLarge(_Unread):
    """The body is beyond the bound."""


class _TooLate(_Unread):
    """The body did not come, or there was no room for it, before the deadline."""


class WebhookServer:
    """Answers AdmissionReviews on one address."""

    def __init__(
        self,
        world: Callable[[], World],
        clock: Clock,
        meter: Meter,
        deadline: float = limits.REVIEW_DEADLINE,
    ) -> None:
        self._world = world
        self._clock = clock
        self._meter = meter
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._budget = Budget(BODY_BYTES_MAX)
        self._draining = False
        self._busy = 0
        self._runner: web.ServerRunner | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, host: str | None, port: int, context: ssl.SSLContext | None) -> int:
        """Serve on an address (None: every one); 0 takes a free port. Returns the port."""
        server = web.Server(
            self.respond,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=FINISH_SECONDS)
        await self._runner.setup()

        def protocol() -> asyncio.Protocol:
            return _Refusal() if len(server.connections) >= CONNECTIONS_MAX else server()

        self._server = await self._loop.create_server(
            protocol,
            host,
            port,
            ssl=context,
            backlog=512,
            reuse_address=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def drain(self) -> None:
        """Go on answering, and ask every client to come back on another connection."""
        self._draining = True

    async def close(self) -> None:
        """Accept nothing more; what has begun may finish. Idempotent."""
        self.drain()
        if self._server is not None:
            self._server.close()
        until = self._loop.time() + FINISH_SECONDS
        # No event: the count changes with every review, and is waited for once.
        while self._busy and self._loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_FINISH_STEP)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        path = request.path
        if path == READY_PATH:
            return self._readiness()
        if path not in PATHS:
            return web.Response(status=404, text="not served here\n")
        if request.method != hdrs.METH_POST:
            return web.Response(status=405, text="POST only\n", headers={"Allow": "POST"})
        if _is_encoded(request):
            return web.Response(status=415, text="application/json without an encoding\n")
        began = self._loop.time()
        self._busy += 1
        try:
            found = await self._found(request, path, began + self._deadline)
        finally:
            self._busy -= 1
        self._meter.reviewed(path, found, self._loop.time() - began)
        if found.decision == "denied":
            log.info("denied: %s", found.message, extra={"path": path, "reason": found.reason})
        stays = not self._draining and request.keep_alive and request.content.at_eof()
        return Reply(_HEAD, found.body, keep_alive=stays)

    def _readiness(self) -> web.Response:
        """For whoever asks on this port, as the operator does: it may not reach the health port."""
        why = self._world().not_ready
        return web.Response(status=503 if why else 200, text=f"{why or 'ok'}\n")

    async def _found(self, request: web.BaseRequest, path: str, deadline: float) -> Answer:
        content = request.content
        if content.is_eof():
            # All of it came at once, as nearly always: there is nothing to wait for.
            body = content.read_nowait()
        else:
            try:
                body = await self._received(request, deadline)
            except _TooLarge as error:
                message = f"the review has more than {limits.REVIEW_BYTES} bytes"
                uid = envelope.find_uid(error.beginning)
                return unread(path, uid, deny(Reason.MALFORMED, message))
            except _TooLate as error:
                return self._late(path, envelope.find_uid(error.beginning))
        found = self._judge(path, body, deadline)
        if found.may_come:
            found = await self._again(path, body, found, deadline)
        return found

    def _judge(self, path: str, body: bytes, deadline: float) -> Answer:
        if self._loop.time() >= deadline:
            # The loop was busy with others: whoever asked has nearly given up.
            return self._late(path, envelope.find_uid(body))
        return review(path, body, self._world(), self._clock.now())

    async def _again(self, path: str, body: bytes, found: Answer, deadline: float) -> Answer:
        """Judge anew until the pod that is missing has been seen, for a moment."""
        until = min(deadline, self._loop.time() + POD_SECONDS) - _POD_STEP
        while found.may_come and self._loop.time() < until:
            await asyncio.sleep(_POD_STEP)
            found = self._judge(path, body, deadline)
        return found

    async def _received(self, request: web.BaseRequest, deadline: float) -> bytes:
        """The body. Raises _TooLate or _TooLarge."""
        length = request.content_length or 0
        if length > limits.REVIEW_BYTES:
            raise _TooLarge(await request.content.read(_FIRST_BYTES))
        body = bytearray()
        try:
            async with (
                asyncio.timeout_at(deadline),
                self._budget.taking(length or limits.REVIEW_BYTES),
            ):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > limits.REVIEW_BYTES:
                        raise _TooLarge(bytes(body[:_FIRST_BYTES]))
        except TimeoutError:
            # What has arrived by now may not have been read yet.
            body += request.content.read_nowait(_FIRST_BYTES)
            raise _TooLate(bytes(body[:_FIRST_BYTES])) from None
        return bytes(body)

    def _late(self, path: str, uid: str) -> Answer:
        message = f"no answer within {self._deadline:g} s"
        fix = "try again; see the webhook's load"
        return unread(path, uid, deny(Reason.DEADLINE, message, fix=fix))


def _is_encoded(request: web.BaseRequest) -> bool:
    headers = request.headers
    kind = headers.get(hdrs.CONTENT_TYPE, "")
    return kind.partition(";")[0].strip().lower() != "application/json" or (
        hdrs.CONTENT_ENCODING in headers
    )


class _Refusal(asyncio.Protocol):
    """Closes a connection as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
