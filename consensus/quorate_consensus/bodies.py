"""Bodies of requests, read within a bound, and the answers' JSON."""

from aiohttp import web

from quorate.errors import InvalidInput, LimitExceeded
from quorate_consensus.failures import SERVER


async def read_body(request: web.Request, bytes_max: int, kind: str = "application/json") -> bytes:
    """The body. Raises InvalidInput for another type or an encoding, LimitExceeded."""
    if request.content_type != kind or "Content-Encoding" in request.headers:
        raise InvalidInput(f"must be {kind} without an encoding", field="Content-Type")
    if (request.content_length or 0) > bytes_max:
        raise LimitExceeded(f"the body must have at most {bytes_max} bytes")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise LimitExceeded(f"the body must have at most {bytes_max} bytes")
    return bytes(body)


def json_answer(body: bytes) -> web.Response:
    """A 200 with this body."""
    return web.Response(body=body, content_type="application/json", headers=SERVER)
