"""Dialling a service of ours as its clients do: which certificate it shows, whether it is ready."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from quorate.errors import Unavailable

SECONDS = 5.0
ANSWER_BYTES = 16_384
READY_PATH = "/readyz"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server showed and said. ``status`` is of its readiness, ``text`` the reasons."""

    not_before: datetime
    not_after: datetime
    status: int
    text: str


async def dial(host: str, port: int, name: str, context: ssl.SSLContext) -> Shown:
    """Connect, and ask whether it is ready. Raises Unavailable if it does not answer, or shows a
    certificate that ``context`` does not take for ``name``."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _dial(host, port, name, context)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
        what = str(error) or type(error).__name__
        raise Unavailable(f"{host}:{port} does not answer as {name}: {what}") from error


async def _dial(host: str, port: int, name: str, context: ssl.SSLContext) -> Shown:
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
        request = f"GET {READY_PATH} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        status, text = _answer(await _read(reader))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return Shown(begins.astimezone(UTC), ends.astimezone(UTC), status, text)


async def _read(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while len(found) < ANSWER_BYTES and (part := await reader.read(4096)):
        found += part
    return found


def _answer(data: bytes) -> tuple[int, str]:
    """Status and body. Raises ValueError for what is not HTTP."""
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not head.startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("the answer is not HTTP")
    return int(words[1]), body.decode("utf-8", "replace")
