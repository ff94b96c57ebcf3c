"""Serving an application over TLS with a bound on connections, and ending without cutting any."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

CONNECTIONS_MAX = 16_384
"""Every pod keeps one or two open. More are closed at once: the others must be served."""
IDLE_SECONDS = 75.0
"""A connection without a request for this long is closed; sidecars ask every ten seconds."""
HANDSHAKE_SECONDS = 10.0
HEADER_BYTES = 20_480
"""One header line. A token has up to 16 KiB."""
HEADERS_MAX = 32
DRAIN_SECONDS = 10.0
BACKLOG = 512


@contextlib.asynccontextmanager
async def listening(
    app: web.Application, host: str | None, port: int, context: ssl.SSLContext
) -> AsyncIterator[None]:
    """Serve while the block runs. At its end requests in work have DRAIN_SECONDS to finish."""
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS,
        max_field_size=HEADER_BYTES,
        max_headers=HEADERS_MAX,
        shutdown_timeout=DRAIN_SECONDS,
    )
    await runner.setup()
    protocols = runner.server
    assert protocols is not None  # noqa: S101 - set up just now

    def protocol() -> asyncio.Protocol:
        full = len(protocols.connections) >= CONNECTIONS_MAX
        return _Refusal() if full else protocols()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        protocol,
        host,
        port,
        ssl=context,
        backlog=BACKLOG,
        ssl_handshake_timeout=HANDSHAKE_SECONDS,
        reuse_address=True,
    )
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


class _Refusal(asyncio.Protocol):
    """Closes a connection as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
