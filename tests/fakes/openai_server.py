"""An OpenAI-compatible server that answers as it is told, or misbehaves; in a thread of its own."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Respond = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]
Say = Callable[[dict[str, Any]], str]


@dataclass
class OpenAiServer:
    """Where it listens, and what it was asked."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Paths that were asked for and do not exist: nobody follows a redirect to them."""


def completion(text: str | None, **fields: Any) -> dict[str, Any]:
    """A chat completion's body."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def saying(say: Say) -> Respond:
    """Answer with what ``say`` makes of the request."""

    async def respond(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(completion(say(body)))

    return respond


def last(body: dict[str, Any]) -> str:
    """The text of a request's last message."""
    return str(body["messages"][-1]["content"])


async def slow(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """Never answers."""
    await asyncio.sleep(3600)
    return web.Response()


async def trickle(request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """Sends a byte now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def truncated(request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """Announces more than it sends, then cuts the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"message": {"content": "ye')
    if request.transport is not None:
        request.transport.close()
    return response


async def huge(request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """An answer without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"choices": [{"message": {"content": "')
    while True:
        await response.write(b"x" * 65536)


async def redirect(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    """Sends the asker elsewhere."""
    raise web.HTTPTemporaryRedirect("/elsewhere/chat/completions")


def body_of(data: bytes, status: int = 200) -> Respond:
    """Always this body."""

    async def respond(_request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(body=data, status=status, content_type="application/json")

    return respond


@contextmanager
def serving(respond: Respond) -> Iterator[OpenAiServer]:
    """Serve on a free port of the loopback until the context ends."""
    server = OpenAiServer()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, respond, loop, started), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _serve(
    server: OpenAiServer,
    respond: Respond,
    loop: asyncio.AbstractEventLoop,
    started: threading.Event,
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        server.requests.append(body)
        server.keys.append(request.headers.get("Authorization", ""))
        return await respond(request, body)

    async def other(request: web.Request) -> web.StreamResponse:
        server.others.append(request.path)
        return web.Response(status=404)

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        app.router.add_route("*", "/{rest:.*}", other)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    asyncio.set_event_loop(loop)
    runner = loop.run_until_complete(begin())
    started.set()
    loop.run_forever()
    loop.run_until_complete(runner.cleanup())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
