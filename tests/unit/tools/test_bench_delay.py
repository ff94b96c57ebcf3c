"""The proxy that makes a server seem far away."""

import asyncio
import time

from tests.bench.committee.delay import Delay

SECONDS = 0.1


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1_024):
        writer.write(data)
    writer.close()


async def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def test_answers_arrive_late_and_in_order() -> None:
    """Each by the delay and not by more: what is under way does not wait for what was before."""
    far = await asyncio.start_server(_echo, "127.0.0.1", 0)
    delay = Delay(("127.0.0.1", await _port(far)), SECONDS)
    near = await asyncio.start_server(delay.serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", await _port(near))
    began = time.monotonic()
    for number in range(5):
        writer.write(b"%d" % number)
        await asyncio.sleep(SECONDS / 10)
    assert await reader.readexactly(5) == b"01234"
    assert SECONDS <= time.monotonic() - began < SECONDS * 5
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    for server in (near, far):
        server.close()


async def test_a_server_that_is_not_there_ends_the_connection() -> None:
    """Whoever called sees it close."""
    gone = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = await _port(gone)
    gone.close()
    await gone.wait_closed()
    near = await asyncio.start_server(Delay(("127.0.0.1", port), SECONDS).serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", await _port(near))
    assert await reader.read() == b""
    writer.close()
    near.close()
