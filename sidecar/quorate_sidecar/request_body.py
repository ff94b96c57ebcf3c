"""Reading a request's body: bounded in bytes and in time."""

import asyncio

from aiohttp import StreamReader, web

from quorate_sidecar.capacity import Capacity
from quorate_sidecar.refusal import Code, Refusal

BODY_SECONDS = 30.0
"""For a whole body, once its headers are there."""


class BodyReader:
    """Reads one body; holds its share of the capacity until it is released."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._reserved = 0

    async def read(self, request: web.BaseRequest, bytes_max: int) -> bytes:
        """The body. Raises Refusal if it is too long, too slow, or breaks off."""
        length = request.headers.get("Content-Length")
        if length is not None:
            # The HTTP parser let only digits through.
            if int(length) > bytes_max:
                raise _too_large(bytes_max)
            self._reserve(int(length))
        content = request.content
        if content.is_eof():
            # Most bodies arrive with their headers.
            return self._checked(content.read_nowait(), bytes_max)
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._read_slowly(content, bytes_max)
        except TimeoutError:
            message = f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
            raise Refusal(408, Code.TIMEOUT, message) from None
        except web.RequestPayloadError:
            raise Refusal(400, Code.MALFORMED, "the body's framing is broken") from None

    def release(self) -> None:
        """Give the share back. Idempotent."""
        self._capacity.release(self._reserved)
        self._reserved = 0

    def _reserve(self, size: int) -> None:
        self._capacity.reserve(size)
        self._reserved += size

    def _checked(self, body: bytes, bytes_max: int) -> bytes:
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        if len(body) > self._reserved:
            self._reserve(len(body) - self._reserved)
        return body

    async def _read_slowly(self, content: StreamReader, bytes_max: int) -> bytes:
        parts, size = [], 0
        while part := await content.readany():
            size += len(part)
            if size > bytes_max:
                raise _too_large(bytes_max)
            if size > self._reserved:
                # Without a length nobody knows what is coming: memory is set aside as it comes.
                self._reserve(size - self._reserved)
            parts.append(part)
        return b"".join(parts)


def _too_large(bytes_max: int) -> Refusal:
    message = f"the body is longer than the policy's {bytes_max} bytes"
    return Refusal(413, Code.TOO_LARGE, message)
