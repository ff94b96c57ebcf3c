"""Follows the chain of epochs, so that certificates of the newest count and those of liars do not.

Members are asked, not the API server: what they certified proves itself, and who keeps one of them
from us keeps nothing back.
"""

import asyncio
import contextlib
import logging
from typing import Final, Protocol

from quorate.admission.store import Store
from quorate.consensus.history import History
from quorate.errors import QuorateError

FOLLOW_SECONDS: Final = 10.0
"""Between two looks. A certificate of an epoch that is not known is a reason to look at once."""
PAUSE_SECONDS: Final = 0.5
"""After each look, whatever is a reason: who may write a model's status asks members no oftener."""

log = logging.getLogger(__name__)


class Source(Protocol):
    """Who tells of epochs: :class:`quorate_io.member_channels.MemberChannels`."""

    async def history(self, *, newer: bool = False) -> History:
        """What is known; asked for again if ``newer``. Raises QuorateError."""


class ChainFollower:
    """For one store and one event loop."""

    def __init__(self, source: Source, store: Store) -> None:
        self._source = source
        self._store = store
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()

    @property
    def number(self) -> int:
        """Of the newest epoch that is known."""
        return self._store.history.head.record.number

    def not_ready(self) -> list[str]:
        """Why nothing should be asked of this replica yet: it did not try to hear of epochs."""
        return [] if self._looked.is_set() else ["epochs: no member was asked yet"]

    def want(self) -> None:
        """Something names an epoch that is not known."""
        self._wanted.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._wanted.clear()
            await self.look()
            self._looked.set()
            await asyncio.sleep(PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._wanted.wait()

    async def look(self) -> None:
        """Look once. While no member answers, what is known counts."""
        try:
            history = await self._source.history(newer=True)
        except QuorateError as error:
            log.info("epochs are not followed: %s", error)
            return
        if history.head.record.number > self.number:
            log.info("epoch %d: %s", history.head.record.number, history.head.record.change)
            self._store.follow(history)
