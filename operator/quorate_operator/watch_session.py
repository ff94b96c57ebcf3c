"""The HTTP session that the watches go through: it authenticates them, and notices what arrives.

The framework that reads the watches tells nobody of bookmarks, nor of a list that it makes again
after a break, in which deletions go missing. Both pass through here. It also asks for pages of one
size, whatever the kind: of large objects such a page would not fit into memory.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from kubernetes.aio import client

from quorate_operator.kinds import WATCHED, Kind

CONNECT_SECONDS = 10.0
_BY_PATH = {kind.path(): kind for kind in WATCHED}


class _Heard:
    """A response's stream that reports every chunk it passes on."""

    def __init__(self, stream: aiohttp.StreamReader, report: Callable[[], None]) -> None:
        self._stream = stream
        self._report = report

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The stream's own, with a report for each chunk."""
        async for chunk in self._stream.iter_chunked(size):
            self._report()
            yield chunk


class WatchSession:
    """Makes the session. ``heard`` is told of every arrival, ``listed`` of every list begun."""

    def __init__(
        self,
        configuration: client.Configuration,
        heard: Callable[[Kind], None],
        listed: Callable[[Kind], None],
    ) -> None:
        self._configuration = configuration
        self._heard = heard
        self._listed = listed

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)

    def open(self) -> aiohttp.ClientSession:
        """A new session, for the caller to close."""
        # The official client's own context: its authority, its client certificate, its options.
        tls = client.ApiClient(self._configuration).rest_client.ssl_context
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            middlewares=(self._authenticate, self._observe),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    async def _authenticate(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # Asked for every request: the client reads a service account's token anew every minute.
        header = await self._configuration.get_api_key_with_prefix("BearerToken")
        if header:
            request.headers["Authorization"] = header
        return await handler(request)

    async def _observe(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        kind = _BY_PATH.get(request.url.path)
        if kind is None or request.method != "GET":
            return await handler(request)
        watching = request.url.query.get("watch") == "true"
        if not watching:
            request.url = request.url.update_query(limit=str(kind.page))
            if "continue" not in request.url.query:
                self._listed(kind)
        response = await handler(request)
        if watching and response.status == 200:
            self._heard(kind)
            stream = _Heard(response.content, lambda: self._heard(kind))
            response.content = stream  # type: ignore[assignment]
        return response
