"""Reads at one member what pods report of themselves. Whether any of it counts is for
:mod:`quorate_operator.report_response` to say, which hears all members.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from quorate.errors import QuorateError
from quorate_io.member_api import PodReports
from quorate_io.operator_client import MemberLink
from quorate_operator.effects.events import Bucket
from quorate_operator.kinds import POD, Key
from quorate_operator.world import World

RETRY_SECONDS = 2.0
PAGES_RATE, PAGES_BURST = 5.0, 500.0
"""Answers a second, and how many at once: all there is to begin with. A member that always has more
takes no more of this process than that."""

log = logging.getLogger(__name__)


class ReportReader:
    """Follows one member's reports. ``on_news`` is called after each answer."""

    def __init__(self, link: MemberLink, world: World, monotonic: Callable[[], float]) -> None:
        self.link = link
        self._world = world
        self._monotonic = monotonic
        self._bucket = Bucket(PAGES_RATE, PAGES_BURST)
        self._cursor = ""
        self._words: dict[str, PodReports] = {}
        self.on_news: Callable[[], None] = lambda: None

    @property
    def words(self) -> Mapping[str, PodReports]:
        """What the member says, by the pods' UIDs."""
        return self._words

    async def run(self) -> None:
        """Read for ever. A member that does not answer is somebody else's alert."""
        failing = False
        while True:
            try:
                await self.read()
            except QuorateError as error:
                if not failing:
                    log.info("no reports are read at %s: %s", self.link.name, error)
                failing = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            failing = False
            if not self._bucket.take(self._monotonic()):
                await asyncio.sleep(1 / PAGES_RATE)

    async def read(self) -> None:
        """Take in one answer. Raises QuorateError."""
        answer = await self.link.reports(self._cursor)
        if answer.whole:
            self._words.clear()
        for pod in answer.pods:
            if self._is_known(pod):
                self._words[pod.uid] = pod
        self._cursor = answer.cursor
        if not answer.more:
            self.forget()
            self.on_news()

    def forget(self) -> None:
        """Forget the pods that are gone."""
        for uid in [uid for uid, pod in self._words.items() if not self._is_known(pod)]:
            del self._words[uid]

    def _is_known(self, pod: PodReports) -> bool:
        """Whether there is such a pod. Members know only those they were told of, so whoever speaks
        of another lies, or is late; and memory stays within what the cluster holds."""
        known = self._world.pods.get(Key(POD.name, pod.namespace, pod.name))
        return known is not None and known.uid == pod.uid
