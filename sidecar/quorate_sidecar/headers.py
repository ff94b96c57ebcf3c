"""Which headers count on the way in, and which are written on the way out.

Nothing of a client's headers is passed on but a trace context in its own strict form: no header can
change how the model server authenticates, routes, decodes or frames a request.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from aiohttp.helpers import rfc822_formatted_time

from quorate_sidecar.refusal import Code, Refusal

_ONCE = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Host")
_JSON = re.compile(r"application/json(?:\s*;\s*charset=\"?utf-8\"?)?\s*\Z", re.IGNORECASE)
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class Headers(Protocol):
    """A multi-value, case-insensitive mapping, as aiohttp gives it."""

    def get(self, key: str) -> str | None:
        """The first value of ``key``."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """All values of ``key``."""

    def __contains__(self, key: object) -> bool: ...


def check_framing(headers: Headers) -> None:
    """Refuse what two programs may take for different message bounds or protocols.

    Raises Refusal. The HTTP parser refuses most of it before; this does not depend on it.
    """
    for name in _ONCE:
        if name in headers and len(headers.getall(name, [])) > 1:
            raise Refusal(400, Code.HEADERS, f"{name} appears more than once")
    encoding = headers.get("Transfer-Encoding")
    if encoding is not None:
        if "Content-Length" in headers:
            raise Refusal(400, Code.HEADERS, "Transfer-Encoding and Content-Length exclude another")
        if encoding.strip().lower() != "chunked":
            raise Refusal(400, Code.HEADERS, "Transfer-Encoding must be chunked")
    if "Upgrade" in headers:
        raise Refusal(400, Code.HEADERS, "this port does not upgrade to another protocol")
    expected = headers.get("Expect")
    if expected is not None and expected.strip().lower() != "100-continue":
        raise Refusal(417, Code.HEADERS, "Expect: only 100-continue is known")


def check_json(headers: Headers) -> None:
    """Refuse a body that is not plain JSON in UTF-8. Raises Refusal."""
    encoding = headers.get("Content-Encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise Refusal(415, Code.MEDIA_TYPE, "Content-Encoding: send the body uncompressed")
    if not _JSON.match(headers.get("Content-Type") or ""):
        raise Refusal(415, Code.MEDIA_TYPE, "Content-Type must be application/json")


def upstream_headers(headers: Headers, request_id: str, *, stream: bool) -> dict[str, str]:
    """The headers that the model server sees."""
    sent = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": "identity",
        "X-Request-Id": request_id,
    }
    trace = headers.get("traceparent")
    if trace is not None and _TRACE.match(trace):
        sent["traceparent"] = trace
    return sent


def media_type(headers: Mapping[str, str]) -> str:
    """The media type of an answer, without parameters, in lower case."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def answer_headers(request_id: str) -> dict[str, str]:
    """The headers that every answer to a client has."""
    return {"X-Request-Id": request_id, "Server": "quorate"}


def released_head(request_id: str) -> bytes:
    """The status line and headers of a whole answer that is released."""
    text = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: quorate\r\n"
        f"X-Request-Id: {request_id}\r\nDate: {rfc822_formatted_time()}\r\n"
    )
    return text.encode("ascii")


def stream_headers(request_id: str) -> dict[str, str]:
    """The headers of a streamed answer: no cache and no proxy on the way may hold it back."""
    return {
        **answer_headers(request_id),
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
