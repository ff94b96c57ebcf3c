"""Sends a fixed number of requests over keep-alive connections, as API servers do."""

import asyncio
import itertools
import ssl
import time
from collections.abc import Sequence

CONNECTIONS = 8


async def send(
    port: int, path: str, bodies: Sequence[bytes], count: int
) -> tuple[list[float], bytes]:
    """Send the bodies in turn, ``count`` requests in all.

    Returns round-trip times in seconds, and the last answer; AssertionError for an HTTP error.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    messages = itertools.cycle([_head(path, body) + body for body in bodies])
    times: list[float] = []
    last = b""

    async def connection(share: int) -> None:
        nonlocal last
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        for _ in range(share):
            began = time.perf_counter()
            writer.write(next(messages))
            last = await _answer(reader)
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(connection(count // CONNECTIONS) for _ in range(CONNECTIONS)))
    return times, last


def _head(path: str, body: bytes) -> bytes:
    return (
        f"POST {path}?timeout=5s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "User-Agent: kube-apiserver-admission\r\n"
        f"Content-Length: {len(body)}\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return await reader.readexactly(length)
