"""Full lists, below the watches: what a broken watch missed is found, above all deletions."""

import asyncio
import logging

from quorate.errors import QuorateError
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.intake import Intake
from quorate_operator.kinds import WATCHED, Kind

SWEEP_SECONDS = 600.0
"""Between two full lists of every kind."""
SETTLE_SECONDS = 2.0
"""After a watch was opened anew, until its kind is listed for what is gone."""

log = logging.getLogger(__name__)


class Sweeper:
    """Lists kinds again when a watch was broken, and all of them from time to time."""

    def __init__(self, api: ApiServer, intake: Intake) -> None:
        self._api = api
        self._intake = intake
        self._known: set[str] = set()
        self._due: set[str] = set()
        self._wake = asyncio.Event()

    def listed(self, kind: Kind) -> None:
        """The watch of a kind lists it. The first list follows ours; a later one a break."""
        if kind.name in self._known:
            self._due.add(kind.name)
            self._wake.set()
        self._known.add(kind.name)

    async def first(self) -> None:
        """List everything, before anything is decided. Raises QuorateError."""
        for kind in WATCHED:
            await self._intake.sweep(self._api, kind)

    async def run(self) -> None:
        """Sweep for ever. What cannot be listed is tried again."""
        while True:
            due = await self._next()
            for kind in WATCHED:
                if kind.name not in due:
                    continue
                try:
                    await self._intake.sweep(self._api, kind)
                except QuorateError as error:
                    log.warning("%s could not be listed: %s", kind.plural, error)
                    self._due.add(kind.name)
                    self._wake.set()

    async def _next(self) -> set[str]:
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return {kind.name for kind in WATCHED}
        await asyncio.sleep(SETTLE_SECONDS)
        due, self._due = self._due, set()
        self._wake.clear()
        return due
