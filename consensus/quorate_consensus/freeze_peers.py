"""Passing freezes on: this member asks each other one what is frozen, and again once it has heard.

Each other member keeps the question until it has something new, so an order that one of them heard
is with all of them within a moment, over whatever paths are left. What it says proves itself: the
channel need not be trusted, and no token is shown.
"""

import asyncio
import logging
from typing import Final

import aiohttp

from quorate.errors import QuorateError
from quorate_consensus.epochs import Epochs
from quorate_consensus.freezing import Freezing
from quorate_consensus.peer_session import FAILURES, PeerSession, peer_session
from quorate_io import member_api
from quorate_io.freeze_feed import FreezeFeed

PAUSE_SECONDS: Final = 0.2
"""Between two questions, however fast the answers come: 50 in 10 s."""
RETRY_SECONDS: Final = 1.0
"""After a question that failed."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=member_api.FREEZES_WAIT + 5, connect=3)

log = logging.getLogger(__name__)


class FreezePeers:
    """Follows the other members of the epoch in force. For one event loop."""

    def __init__(self, template: str, member: str, epochs: Epochs, freezing: Freezing) -> None:
        """``template`` of the members' URLs; ``member``: who this one is."""
        self._template = template
        self._member = member
        self._epochs = epochs
        self._freezing = freezing
        self._following: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        epochs.on_opened(self._wake.set)

    async def follow_for_ever(self) -> None:
        """Follow whoever is a member, until cancelled."""
        async with peer_session(self._template, TIMEOUT) as session:
            try:
                while True:
                    self._adjust(session)
                    await self._wake.wait()
                    self._wake.clear()
            finally:
                for task in self._following.values():
                    task.cancel()
                await asyncio.gather(*self._following.values(), return_exceptions=True)

    def _adjust(self, session: PeerSession) -> None:
        others = set(self._epochs.head.members) - {self._member}
        for name in self._following.keys() - others:
            self._following.pop(name).cancel()
        for name in others - self._following.keys():
            self._following[name] = asyncio.create_task(self._follow(session, name))

    async def _follow(self, session: PeerSession, name: str) -> None:
        async def fetch(query: tuple[tuple[str, str], ...]) -> bytes:
            path, bytes_max = member_api.FREEZES_PATH, member_api.FREEZES_BYTES
            return await session.get(name, path, query, bytes_max)

        feed = FreezeFeed(fetch)
        failed = False
        while True:
            try:
                await self._freezing.merge(await feed.next())
            except (QuorateError, *FAILURES) as error:
                # Told once: a member that is down is told of elsewhere.
                if not failed:
                    log.warning("freezes of %s are not heard: %s", name, error)
                failed = True
                await asyncio.sleep(RETRY_SECONDS)
            else:
                failed = False
                await asyncio.sleep(PAUSE_SECONDS)
