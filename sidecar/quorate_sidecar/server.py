"""The listening side: aiohttp's low-level server with bounds on connections and on slow headers."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from quorate_sidecar.exchange import new_request_id
from quorate_sidecar.refusal import Code, Refusal, error_body

CONNECTIONS_MAX = 1024
HEADER_SECONDS = 10.0
"""From the first byte of a request to the end of its headers."""
KEEPALIVE_SECONDS = 75.0
LINGER_SECONDS = 1.0
"""How long the rest of a refused body is read and thrown away, so that the client sees why."""
LINE_BYTES = 8190
HEADERS_MAX = 100
BACKLOG = 1024
ADDRESS_SECONDS = 10.0
"""A new IPv6 address cannot be bound until the kernel knows that it is nobody else's."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)

_silent = logging.Logger("aiohttp", logging.CRITICAL)
"""aiohttp logs every malformed request with a traceback: a client could fill the log with it."""


class _Connection(RequestHandler):
    """A connection that is closed if a request's headers do not come to an end."""

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **kw: Any) -> None:
        super().__init__(manager, loop=loop, **kw)
        self._deadline: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and start the clock if a request's headers only began."""
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self.request_began()
        elif self._deadline is None:
            self._deadline = self._loop.call_later(HEADER_SECONDS, self.force_close)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing unless reading was paused: aiohttp asks after every piece it hands out."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clock."""
        self.request_began()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the HTTP parser refused in the same form as every other refusal."""
        refusal = Refusal(400, Code.MALFORMED, "the request is not well-formed HTTP/1.1")
        headers = {"Content-Type": "application/json", "Server": "quorate"}
        body = error_body(refusal, new_request_id())
        response = web.Response(status=status, body=body, headers=headers)
        response.force_close()
        return response

    def request_began(self) -> None:
        """The headers are there: from now on other time-outs hold."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Refused(asyncio.Protocol):
    """A connection beyond the bound."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        transport.close()


class BoundedServer(web.Server):
    """Makes a connection's protocol, or closes it. Give it to ``loop.create_server``."""

    def __init__(self, handler: Handler, connections_max: int = CONNECTIONS_MAX) -> None:
        super().__init__(
            self._began,
            handler_cancellation=True,
            access_log=None,
            logger=_silent,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS_MAX,
            auto_decompress=False,
        )
        self._handle = handler
        self._connections_max = connections_max
        self._tcp: list[asyncio.Server] = []

    def __call__(self) -> Any:
        """The protocol of a new connection."""
        if len(self._connections) >= self._connections_max:
            return _Refused()
        return _Connection(self, loop=self._loop, **self._kwargs)

    @property
    def connection_count(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    async def listen(self, hosts: Sequence[str], port: int) -> None:
        """Bind ``port`` of every host. Raises OSError, EADDRINUSE if somebody else has it."""
        for host in hosts:
            self._tcp.append(await self._bind(host, port))

    def stop_listening(self) -> None:
        """Take no more connections, and let idle ones go; requests in flight go on."""
        for server in self._tcp:
            server.close()
        self._tcp.clear()
        self.pre_shutdown()

    async def _bind(self, host: str, port: int) -> asyncio.Server:
        give_up = self._loop.time() + ADDRESS_SECONDS
        while True:
            try:
                return await self._loop.create_server(self, host, port, backlog=BACKLOG)
            except OSError as error:
                too_late = self._loop.time() >= give_up
                if error.errno != errno.EADDRNOTAVAIL or too_late:
                    raise
                log.info("address %s is not ready yet; trying again", host)
                await asyncio.sleep(0.5)

    async def _began(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        if isinstance(protocol, _Connection):
            protocol.request_began()
        return await self._handle(request)
