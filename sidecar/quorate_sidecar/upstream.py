"""The model server, on loopback: a small pool of connections around aiohttp's response parser.

aiohttp's own client session can do much that is not wanted here (redirects, cookies, proxies, DNS,
decompression) and costs twice the CPU of the whole rest of a request.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from quorate_sidecar.refusal import Code, Refusal

HOST = "127.0.0.1"
CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 300.0
"""Without a byte from the model server for this long, a request is given up. Long prompts are slow
to begin with."""
IDLE_SECONDS = 2.0
"""Idle connections are not used after this: sooner than model servers (5 s) close them under us."""
IDLE_MAX = 64
END_SECONDS = 0.05
"""How long the end of an answer may lag behind its last event."""
LINE_BYTES = 8190
HEADERS_MAX = 100
INFORMATIONAL_MAX = 4
"""Interim answers (1xx) before the real one."""

_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)

_DOWN = (
    "the model server does not answer on 127.0.0.1:{port}; is it running, and started with "
    "--host 127.0.0.1 --port {port} (or OLLAMA_HOST=127.0.0.1:{port})?"
)


class _Connection(ResponseHandler):
    """aiohttp's response parser on a connection."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing unless reading was paused: aiohttp asks after every piece it hands out."""
        if self._reading_paused:
            super().resume_reading(resume_parser)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose headers are there; the body is still to be read."""

    status: int
    headers: Mapping[str, str]
    content: StreamReader
    connection: _Connection


class Upstream:
    """Requests to ``127.0.0.1:port``. Every failure is a Refusal that says what to look at."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._idle: deque[tuple[_Connection, float]] = deque(maxlen=IDLE_MAX)

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request and wait for the answer's headers; :meth:`release` it in any case.

        Raises Refusal. Header values are this sidecar's own: nothing in them is a client's text.
        """
        connection = await self._connection()
        try:
            return await self._exchange(connection, _head(method, target, headers, body), body)
        except _FAILURES as error:
            connection.close()
            raise self._refusal(error) from None
        except BaseException:
            # Cancelled: the client left.
            connection.close()
            raise

    def release(self, answer: Answer) -> None:
        """Close the connection, and so stop the model, unless the whole answer was read."""
        connection = answer.connection
        whole = answer.content.is_eof() and not connection.should_close
        if whole and len(self._idle) < IDLE_MAX:
            self._idle.append((connection, self._loop.time()))
        else:
            connection.close()

    async def read(self, answer: Answer) -> bytes:
        """The next bytes of an answer's body; empty at its end. Raises Refusal."""
        try:
            return await answer.content.readany()
        except _FAILURES as error:
            raise self._refusal(error) from None

    async def read_bounded(self, answer: Answer, bytes_max: int) -> bytes:
        """The whole body of an answer. Raises Refusal if it is longer than ``bytes_max``."""
        content = answer.content
        if content.is_eof() and content.exception() is None and content.total_bytes <= bytes_max:
            # Most answers arrive with their headers.
            return content.read_nowait()
        size, parts = 0, []
        while part := await self.read(answer):
            size += len(part)
            if size > bytes_max:
                message = f"the model server's answer is longer than {bytes_max} bytes"
                raise Refusal(502, Code.RESPONSE_TOO_LARGE, message)
            parts.append(part)
        return b"".join(parts)

    async def finish(self, answer: Answer) -> None:
        """Wait shortly for the end of a body that said all it should: its connection is reused."""
        if answer.content.at_eof():
            return
        try:
            async with asyncio.timeout(END_SECONDS):
                await answer.content.readany()
        except _FAILURES:
            return

    async def close(self) -> None:
        """Close the connections nobody uses."""
        while self._idle:
            self._idle.pop()[0].close()

    async def _connection(self) -> _Connection:
        """An idle connection, the latest first, or a new one."""
        idle = self._reusable()
        return idle if idle is not None else await self._made()

    def _reusable(self) -> _Connection | None:
        fresh = self._loop.time() - IDLE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if since >= fresh and connection.is_connected() and not connection.should_close:
                return connection
            connection.close()
        return None

    async def _made(self) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, made = await self._loop.create_connection(
                    lambda: _Connection(self._loop), HOST, self._port
                )
        except (OSError, TimeoutError):
            message = _DOWN.format(port=self._port)
            raise Refusal(503, Code.UPSTREAM_DOWN, message, retry_after=5) from None
        return made

    async def _exchange(self, connection: _Connection, head: bytes, body: bytes) -> Answer:
        connection.set_response_params(
            skip_payload=head.startswith(b"HEAD "),
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=SILENCE_SECONDS,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS_MAX,
        )
        if connection.transport is None:
            raise ConnectionResetError("the connection was closed")
        connection.transport.write(head + body)
        connection.start_timeout()
        for _ in range(INFORMATIONAL_MAX):
            message, content = await connection.read()
            if message.code >= 200:
                return Answer(message.code, message.headers, content, connection)
            if message.code == 101:
                break
        raise ConnectionResetError("it did not answer in HTTP/1.1")

    def _refusal(self, error: BaseException) -> Refusal:
        if isinstance(error, TimeoutError):
            message = f"the model server was silent for {SILENCE_SECONDS:.0f} seconds"
            return Refusal(504, Code.UPSTREAM_TIMEOUT, message)
        message = f"the model server broke off: {str(error)[:200] or type(error).__name__}"
        return Refusal(502, Code.UPSTREAM_ERROR, message)


def _head(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request line and headers."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
