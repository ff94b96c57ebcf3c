"""The model server, on loopback: one client session, bounded and without manners of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from quorate_sidecar.refusal import Code, Refusal

CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 300.0
"""Without a byte from the model server for this long, a request is given up. Long prompts are slow
to begin with."""
IDLE_SECONDS = 2.0
"""Idle connections are closed after this: sooner than model servers (5 s) close them under us."""

END_SECONDS = 0.5
"""How long the end of an answer may lag behind its last event."""

_FAILURES = (aiohttp.ClientError, TimeoutError, ConnectionError)

_DOWN = (
    "the model server does not answer on 127.0.0.1:{port}; is it running, and started with "
    "--host 127.0.0.1 --port {port} (or OLLAMA_HOST=127.0.0.1:{port})?"
)


class Upstream:
    """Requests to ``http://127.0.0.1:port``. Build it inside the running event loop."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._base = URL(f"http://127.0.0.1:{port}")
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, keepalive_timeout=IDLE_SECONDS, use_dns_cache=False
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent",),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
        )

    @asynccontextmanager
    async def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; the answer is there when its headers are. Raises Refusal."""
        try:
            answer = await self._session.request(
                method, self._url(target), data=body, headers=headers, allow_redirects=False
            )
        except _FAILURES as error:
            raise self._refusal(error) from None
        try:
            yield answer
        finally:
            # Closes the connection, and so stops the model, unless the whole answer was read.
            answer.release()

    async def read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The next bytes of an answer's body; empty at its end. Raises Refusal."""
        try:
            return await answer.content.readany()
        except _FAILURES as error:
            raise self._refusal(error) from None

    async def read_bounded(self, answer: aiohttp.ClientResponse, bytes_max: int) -> bytes:
        """The whole body of an answer. Raises Refusal if it is longer than ``bytes_max``."""
        size, parts = 0, []
        while part := await self.read(answer):
            size += len(part)
            if size > bytes_max:
                message = f"the model server's answer is longer than {bytes_max} bytes"
                raise Refusal(502, Code.RESPONSE_TOO_LARGE, message)
            parts.append(part)
        return b"".join(parts)

    async def finish(self, answer: aiohttp.ClientResponse) -> None:
        """Wait shortly for the end of a body that said all it should: its connection is reused."""
        if not answer.content.at_eof():
            with contextlib.suppress(*_FAILURES):
                async with asyncio.timeout(END_SECONDS):
                    await answer.content.readany()

    def _refusal(self, error: BaseException) -> Refusal:
        if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
            message = _DOWN.format(port=self._port)
            return Refusal(503, Code.UPSTREAM_DOWN, message, retry_after=5)
        if isinstance(error, TimeoutError):
            message = f"the model server was silent for {SILENCE_SECONDS:.0f} seconds"
            return Refusal(504, Code.UPSTREAM_TIMEOUT, message)
        message = f"the model server broke off: {str(error) or type(error).__name__}"
        return Refusal(502, Code.UPSTREAM_ERROR, message)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _url(self, target: str) -> URL:
        """Targets are the sidecar's own constants and declared paths: few, so they are kept."""
        url = self._urls.get(target)
        if url is None:
            url = self._base.join(URL(target, encoded=True))
            self._urls[target] = url
        return url
