"""A model server that costs next to nothing: canned answers over a hand-written protocol.

Run with a port: ``python -m tests.bench.sidecar.model_server 8000``.
"""

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

EVENTS = 50
EVENT_SECONDS = 0.002
TEXT = "The quick brown fox jumps over the lazy dog. " * 8

_HEAD = {"id": "chatcmpl-1", "created": 1, "model": "demo"}


CALL = {
    "id": "call-1",
    "type": "function",
    "function": {"name": "lookup", "arguments": '{"topic": "foxes", "limit": 5}'},
}


def _answer(message: dict[str, Any]) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice]}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    value = {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}
    data = b"data: " + json.dumps(value).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_WORDS = TEXT.split()
WHOLE = _answer({"role": "assistant", "content": TEXT})
CALLING = _answer({"role": "assistant", "content": None, "tool_calls": [CALL]})
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STREAM = [_event({"content": f"{_WORDS[n % len(_WORDS)]} "}) for n in range(EVENTS - 1)]
DONE = b"e\r\ndata: [DONE]\n\n\r\n"
STREAM_END = _event({}, "stop") + DONE + b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection; bodies come with a Content-Length."""

    def __init__(self) -> None:
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(body) < length:
            return
        self._buffer = b""
        if b'"stream":true' in body:
            self._transport.write(STREAM_HEAD)
            self._stream(0)
        else:
            self._transport.write(CALLING if b'"tools":' in body else WHOLE)

    def _stream(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == len(STREAM):
            self._transport.write(STREAM_END)
            return
        self._transport.write(STREAM[number])
        self._loop.call_later(EVENT_SECONDS, self._stream, number + 1)


async def serve(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
