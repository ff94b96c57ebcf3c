"""The answer that is written as bytes: framing, keeping a connection, and slow clients."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from quorate_io.reply import Reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"x" * (32 << 20)
"""More than the buffers of a connection hold."""


class Served:
    """A server that answers with replies."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.keep_alive = True
        self.finished = 0
        self.port = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer; counts answers that were handed over whole."""
        return Counted(self, HEAD, self.body, keep_alive=self.keep_alive)


class Counted(Reply):
    """A reply that tells when it has been taken."""

    def __init__(self, served: Served, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        super().__init__(head, body, keep_alive=keep_alive)
        self._served = served

    async def write_eof(self, data: bytes = b"") -> None:
        self._served.finished += 1
        await super().write_eof(data)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The server, on a free port."""
    found = Served()
    runner = web.ServerRunner(web.Server(found, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


async def test_two_answers_on_one_connection(served: Served) -> None:
    """Each answer has its length, and the connection goes on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for body in (b'{"a":1}', b""):
        served.body = body
        writer.write(ASK)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head == HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
        assert await reader.readexactly(len(body)) == body
    writer.close()


async def test_last_answer_says_so_and_closes(served: Served) -> None:
    """A connection that does not stay is announced as such, and ends behind the answer."""
    served.keep_alive = False
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(ASK)
    assert await reader.read() == HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    writer.close()


async def test_slow_client_is_waited_for(served: Served) -> None:
    """What a client does not take yet is not done: the next request is not begun."""
    served.body = LONG
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(ASK + ASK)
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.2)
    assert served.finished == 0
    await reader.readexactly(len(LONG))
    await reader.readuntil(b"\r\n\r\n")
    assert served.finished == 1
    writer.transport.abort()


async def test_client_that_left_harms_nobody(served: Served) -> None:
    """A client that goes in the middle of its answer leaves the server as it was."""
    served.body = LONG
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(ASK)
    await asyncio.sleep(0.05)
    writer.transport.abort()
    served.body = b"{}"
    await test_two_answers_on_one_connection(served)
