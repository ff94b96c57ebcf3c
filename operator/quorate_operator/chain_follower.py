"""Follows the chain of epochs, and looks again at what was certified before."""

import asyncio
import logging
from typing import Protocol

from quorate.consensus.history import History
from quorate.errors import QuorateError
from quorate_operator.effects.member import Questions
from quorate_operator.intake import Queues
from quorate_operator.world import World

FOLLOW_SECONDS = 15.0
"""Between two looks; the client asks members less often than that."""

log = logging.getLogger(__name__)


class Source(Protocol):
    """Who tells of epochs: :class:`quorate_io.operator_client.OperatorClient`."""

    async def history(self, *, newer: bool = False) -> History:
        """What is known; asked for again if ``newer``. Raises QuorateError."""


class ChainFollower:
    """Brings what members certified of themselves into the world."""

    def __init__(self, source: Source, world: World, questions: Questions, queues: Queues) -> None:
        self._source = source
        self._world = world
        self._questions = questions
        self._queues = queues

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(FOLLOW_SECONDS)

    async def look(self) -> None:
        """Look once. While no member answers, what is known counts."""
        try:
            self.take(await self._source.history())
        except QuorateError as error:
            log.info("epochs are not followed: %s", error)

    def take(self, history: History) -> None:
        """Verify with ``history`` from now on, unless it is older or the same.

        Models that lose a certificate by it are looked at again at once.
        """
        number = history.head.record.number
        if number <= self._world.history.head.record.number:
            return
        log.info("epoch %d: %s", number, history.head.record.change)
        self._queues.add(self._world.follow(history) | self._questions.reconsider(history))
