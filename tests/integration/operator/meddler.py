"""Stands between the operator and the API server, and meddles with the operator's writes.

A real API server does the work; what passes through here is counted, refused as etcd would, or is
the last thing the operator does.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})

Meddling = Callable[["Write"], Awaitable[web.Response | None]]


@dataclass
class Write:
    """One write on its way, and how to let it through."""

    number: int
    method: str
    path: str
    forward: Callable[[], Awaitable[web.Response]]


@dataclass
class Meddler:
    """``meddle`` sees every write but those of the Lease; None lets it pass."""

    kubeconfig: Path
    meddle: Meddling
    writes: list[str] = field(default_factory=list)
    port: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, as it is."""
        body = await request.read()
        if request.method not in WRITES or "/leases" in request.path:
            return await self._streamed(request, body)

        async def forward() -> web.Response:
            async with self._asked(request, body) as answer:
                headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, headers=headers, body=await answer.read())

        self.writes.append(f"{request.method} {request.path}")
        write = Write(len(self.writes), request.method, request.path, forward)
        return await self.meddle(write) or await forward()

    async def _streamed(self, request: web.Request, body: bytes) -> web.StreamResponse:
        async with self._asked(request, body) as answer:
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    @contextlib.asynccontextmanager
    async def _asked(
        self, request: web.Request, body: bytes
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers["Accept-Encoding"] = "identity"
        async with self._session.request(
            request.method,
            self._server + request.path_qs,
            headers=headers,
            data=body or None,
            ssl=False,
        ) as answer:
            yield answer

    async def _serve(self, ready: "Future[int]", ended: asyncio.Event) -> None:
        document = yaml.safe_load(self.kubeconfig.read_text())
        self._server = document["clusters"][0]["cluster"]["server"]
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as self._session:
            application = web.Application(client_max_size=8 * 2**20)
            application.router.add_route("*", "/{path:.*}", self.handle)
            runner = web.AppRunner(application, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ready.set_result(runner.addresses[0][1])
            await ended.wait()
            # Closing waits for the sockets of its own connections only: handlers that were
            # cancelled first would take theirs along, open when the loop ends.
            await self._session.close()
            await runner.cleanup()
            # A watch of a process that was killed still waits for something to pass on.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[Path]:
        """Serve; yields a kubeconfig that leads here with the same credentials."""
        loop, ended, ready = asyncio.new_event_loop(), asyncio.Event(), Future[int]()
        thread = threading.Thread(
            target=loop.run_until_complete, args=(self._serve(ready, ended),), daemon=True
        )
        thread.start()
        try:
            document = yaml.safe_load(self.kubeconfig.read_text())
            address = f"http://127.0.0.1:{ready.result(10)}"
            document["clusters"][0]["cluster"] = {"server": address}
            path = self.kubeconfig.with_name(f"{self.kubeconfig.name}-meddled")
            path.write_text(yaml.safe_dump(document))
            yield path
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join(10)
            loop.close()


def refusal(code: int, reason: str, **headers: str) -> web.Response:
    """What the API server answers when it could not write."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": f"meddled with: {reason}",
    }
    return web.Response(
        status=code, headers=headers, content_type="application/json", text=json.dumps(status)
    )
