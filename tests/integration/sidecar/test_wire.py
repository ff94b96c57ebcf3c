"""Hostile bytes on the wire: what no HTTP client library would send."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from tests.integration.sidecar.stand import CHAT, SIDECAR_HOST, Stand, chat, chunk, stand

BODY = json.dumps(chat()).encode()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Stand]:
    """A proxy and its model server."""
    async with stand(tmp_path) as found:
        yield found
        assert found.report().intact


async def send(proxy: Stand, data: bytes, *, seconds: float = 2.0) -> bytes:
    """Write raw bytes; everything that comes back until the other side closes or is silent."""
    reader, writer = await asyncio.open_connection(SIDECAR_HOST, proxy.port)
    writer.write(data)
    got = b""
    try:
        async with asyncio.timeout(seconds):
            while part := await reader.read(65536):
                got += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return got


def post(*headers: str, body: bytes = BODY, target: str = CHAT, version: str = "1.1") -> bytes:
    """A POST with these headers and no others."""
    lines = [f"POST {target} HTTP/{version}", "Host: x", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return f"{len(body):x}".encode() + b"\r\n" + body + b"\r\n0\r\n\r\n"


LENGTH = f"Content-Length: {len(BODY)}"


async def test_plain_requests_pass(proxy: Stand) -> None:
    """The harness itself works: by length, chunked, and in HTTP/1.0."""
    for data in (
        post(LENGTH, "Connection: close"),
        post("Transfer-Encoding: chunked", "Connection: close", body=chunked(BODY)),
        post(LENGTH, version="1.0"),
    ):
        assert (await send(proxy, data)).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    assert len(proxy.seen) == 3
    assert all(json.loads(body) == chat() for body in proxy.bodies)


async def test_headers_of_an_answer(proxy: Stand) -> None:
    """An answer has its length, type, date and our id, and nothing of the model server's."""
    head, _, body = (await send(proxy, post(LENGTH, "Connection: close"))).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    fields = dict(line.split(": ", 1) for line in lines)
    assert parsedate_to_datetime(fields.pop("Date")).tzinfo is UTC
    assert fields.pop("X-Request-Id") == proxy.seen[0].headers["X-Request-Id"]
    assert fields == {
        "Content-Type": "application/json",
        "Server": "quorate",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }


async def test_old_protocol_is_answered_once(proxy: Stand) -> None:
    """A connection of HTTP/1.0 ends behind its answer, and says so, whatever it asks for."""
    data = post(LENGTH, "Connection: keep-alive", version="1.0")
    async with asyncio.timeout(1.0):
        answer = await send(proxy, data, seconds=30)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "data",
    [
        post(LENGTH, "Transfer-Encoding: chunked", body=chunked(BODY)),
        post("Transfer-Encoding: chunked", LENGTH, body=chunked(BODY)),
        post(LENGTH, f"Content-Length: {len(BODY) + 1}"),
        post(LENGTH, LENGTH),
        post(f"Content-Length: {len(BODY)}, {len(BODY)}"),
        post(f"Content-Length: +{len(BODY)}"),
        post(f"Content-Length: {len(BODY)} 1"),
        post("Content-Length: -1"),
        post("Content-Length: 0x10"),
        post("Transfer-Encoding: xchunked", body=chunked(BODY)),
        post("Transfer-Encoding: chunked, identity", body=chunked(BODY)),
        post("Transfer-Encoding:\x0bchunked", body=chunked(BODY)),
        post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=chunked(BODY)),
        post("Transfer-Encoding : chunked", body=chunked(BODY)),
        post(" folded: header", LENGTH),
        post("X: a\x00b", LENGTH),
        post("X: a\rContent-Length: 0", LENGTH),
        post(LENGTH, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"),
        post(LENGTH, "Upgrade: websocket", "Connection: Upgrade"),
        post(LENGTH, "Expect: 200-ok"),
        post(LENGTH, "Host: y"),
        post(LENGTH, "Content-Type: text/plain"),
        post(LENGTH, target="http://other.test/v1/chat/completions"),
        post(LENGTH, target="/v1/chat/completions?x=1"),
        post(LENGTH, target="//v1/chat/completions"),
        post(LENGTH, target="/v1/%63hat/completions"),
        post(LENGTH, version="3.0"),
        post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\nZZ\r\n"),
        post("Transfer-Encoding: chunked", body=b"ffffffffffffffffff\r\n"),
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"\x00" * 100,
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=range(38),
)
@pytest.mark.requirement("sidecar: request smuggling is refused")
async def test_hostile_requests_never_reach_the_model(proxy: Stand, data: bytes) -> None:
    """Each is refused with a 4xx or cut off, and the connection is not used again."""
    smuggled = post(LENGTH, "Connection: close", "X-Smuggled: yes")
    got = await send(proxy, data + smuggled)
    assert all("X-Smuggled" not in request.headers for request in proxy.seen)
    assert proxy.seen == []
    assert got == b"" or got.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert b"Traceback" not in got
    assert got == b"" or b'"request_id":"req_' in got


async def test_client_that_asks_before_its_body_is_told_to_go_on(proxy: Stand) -> None:
    """Clients with long bodies wait for an interim answer; a refusal comes instead of it."""
    reader, writer = await asyncio.open_connection(SIDECAR_HOST, proxy.port)
    writer.write(post(LENGTH, "Expect: 100-continue", body=b""))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
    too_long = post("Content-Length: 99999999", "Expect: 100-continue", body=b"")
    assert (await send(proxy, too_long)).startswith(b"HTTP/1.1 413")


async def test_pipelined_requests_are_answered_in_order(proxy: Stand) -> None:
    """Two well-formed requests in one packet are two exchanges."""
    got = await send(proxy, post(LENGTH) + post(LENGTH, "Connection: close"))
    assert got.count(b"HTTP/1.1 200") == 2
    assert len(proxy.records()) == 4


@pytest.mark.requirement("sidecar: slow and half requests do not hold it up")
async def test_headers_that_never_end_are_cut_off(
    proxy: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that dribbles its headers loses its connection; others do not notice."""
    monkeypatch.setattr("quorate_sidecar.server.HEADER_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(SIDECAR_HOST, proxy.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost:")
    for _ in range(3):
        await asyncio.sleep(0.05)
        writer.write(b" ")
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    assert (await proxy.post(chat()))[0] == 200


async def test_idle_connection_outlives_the_header_deadline(
    proxy: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is for half a request, not for a client that waits between two."""
    monkeypatch.setattr("quorate_sidecar.server.HEADER_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection(SIDECAR_HOST, proxy.port)
    for _ in range(3):
        writer.write(post(LENGTH))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        await asyncio.sleep(0.3)
    writer.close()


async def test_body_that_never_ends_is_cut_off(
    proxy: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408, and the memory that was set aside is given back."""
    monkeypatch.setattr("quorate_sidecar.request_body.BODY_SECONDS", 0.2)
    got = await send(proxy, post("Content-Length: 500000", body=b"{"))
    assert got.startswith(b"HTTP/1.1 408")
    assert proxy.capacity.body_bytes == 0


async def test_body_that_breaks_off_leaves_nothing_behind(proxy: Stand) -> None:
    """A client that closes in the middle of its body is forgotten."""
    _, writer = await asyncio.open_connection(SIDECAR_HOST, proxy.port)
    writer.write(post("Content-Length: 500000", body=b"{"))
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.1)
    assert proxy.capacity.body_bytes == 0
    assert proxy.capacity.requests == 0
    assert proxy.seen == []


async def test_connections_are_bounded(proxy: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a connection is closed at once; after others left, it is taken."""
    monkeypatch.setattr(proxy.server, "_connections_max", 5)
    held = [await asyncio.open_connection(SIDECAR_HOST, proxy.port) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert await send(proxy, post(LENGTH)) == b""
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.1)
    assert (await send(proxy, post(LENGTH, "Connection: close"))).startswith(b"HTTP/1.1 200")


@pytest.mark.requirement("sidecar: a client that does not read is not buffered for")
async def test_slow_reader_slows_the_model_down(proxy: Stand) -> None:
    """Back-pressure reaches the model server: what is produced is bounded by what is read."""
    produced = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal produced
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        data = chunk({"content": "word " * 2000})
        while produced < 50_000_000:
            await response.write(data)
            produced += len(data)
        return response

    proxy.script = endless
    state = proxy.standing.state
    assert state is not None
    rules = msgspec.structs.replace(state.rules, max_response_bytes=10**9)
    proxy.standing.state = type(state)(
        rules, state.manifest_digest, state.policy_digests, state.issued_at, state.expires_at
    )
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((SIDECAR_HOST, proxy.port))
    body = json.dumps({**chat(), "stream": True}).encode()
    client.sendall(post(f"Content-Length: {len(body)}", body=body))
    await asyncio.sleep(1.0)
    early = produced
    await asyncio.sleep(0.5)
    assert produced == early
    assert produced < 20_000_000
    client.close()
    await asyncio.sleep(0.2)
    assert proxy.capacity.requests == 0
