"""Asking other members what proves itself: the channel need not be trusted, no token is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from quorate.errors import Unavailable
from quorate_consensus.voting_settings import url_of
from quorate_io import tls

FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
"""What a question may end in beside a QuorateError."""


class PeerSession:
    """Asks members at the URLs that ``template`` leads to."""

    def __init__(self, template: str, session: aiohttp.ClientSession) -> None:
        self._template = template
        self._session = session

    async def get(
        self, member: str, path: str, query: tuple[tuple[str, str], ...], bytes_max: int
    ) -> bytes:
        """The body of a 200. Raises Unavailable for anything else, InvalidInput for a name that is
        no part of a host's, and FAILURES."""
        url = url_of(self._template, member).with_path(path).with_query(query or None)
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise Unavailable(f"it answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise Unavailable("its answer is too large")
            return bytes(body)


@asynccontextmanager
async def peer_session(template: str, limits: aiohttp.ClientTimeout) -> AsyncIterator[PeerSession]:
    """For one event loop."""
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context(), limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
        timeout=limits,
    ) as session:
        yield PeerSession(template, session)
