"""Acts on what pods report of themselves, as far as enough members say so.

What holds is looked at again and again, not only when it is new: a deletion that failed is tried
again, and an incident that nobody could write is written later.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime

from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import PodReports
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.events import Bucket
from quorate_operator.effects.removal import Removals
from quorate_operator.kinds import ATTESTED_MODEL, Key
from quorate_operator.reconcile.corroboration import Words, corroborate
from quorate_operator.reconcile.report import (
    Planned,
    SeenPod,
    ended_reports,
    plan_reports,
    pod_key,
    unbelievable,
)
from quorate_operator.world import World

LOOK_SECONDS = 15.0
"""How long without news until all is looked at again."""
SPACING_SECONDS = 0.5
"""Between two looks at least: each looks at everything that every member says."""
RATE, BURST = 2.0, 100.0
"""Incidents a second from reports, and how many at once: all pods may lose them at once."""
REMEMBERED_MAX = 65_536

log = logging.getLogger(__name__)


class ReportResponse:
    """Raises alerts about pods that report, and deletes those that must go.

    ``heard`` gives what each member says whose word counts.
    """

    def __init__(
        self,
        heard: Callable[[], Iterable[Words]],
        world: World,
        alerts: Alerts,
        removals: Removals,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._heard = heard
        self._world = world
        self._alerts = alerts
        self._removals = removals
        self._clock = clock
        self._monotonic = monotonic
        self._bucket = Bucket(RATE, BURST)
        self._news = asyncio.Event()
        self._raised: OrderedDict[tuple[str, Rule, datetime], float] = OrderedDict()
        self._closed: OrderedDict[tuple[str, Rule, datetime], None] = OrderedDict()
        self._doubted: set[str] = set()

    def noticed(self) -> None:
        """A member had something to say: look soon."""
        self._news.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self.act()
            await asyncio.sleep(SPACING_SECONDS)

    async def act(self) -> None:
        """Raise what is to be raised, and delete what must go. What fails is left for later."""
        liars = self._world.history.head.record.thresholds.r
        counted = list(corroborate(self._heard(), liars))
        for reports in counted:
            seen = self._seen(reports)
            doubt = unbelievable(reports, seen)
            if doubt or seen is None:
                self._doubt(reports, doubt)
                continue
            for planned in plan_reports(reports, seen, self._clock.now()):
                try:
                    await self._carry_out(reports.uid, planned)
                except QuorateError as error:
                    log.warning("%s: %s", planned.alert.subject.key, error)
            for planned in ended_reports(reports, seen, self._clock.now()):
                await self._close(reports.uid, planned)
        self._doubted &= {reports.uid for reports in counted}

    async def _carry_out(self, uid: str, planned: Planned) -> None:
        if self._is_due(uid, planned) and not await self._alerts.raise_alert(planned.alert):
            self._raised.pop((uid, planned.report.rule, planned.report.since), None)
        if planned.delete is not None:
            await self._removals.delete(planned.delete)

    async def _close(self, uid: str, planned: Planned) -> None:
        """Close what has ended, once; what fails is tried again."""
        about = (uid, planned.report.rule, planned.report.since)
        if about in self._closed or not self._bucket.take(self._monotonic()):
            return
        self._closed[about] = None
        if len(self._closed) > REMEMBERED_MAX:
            self._closed.popitem(last=False)
        try:
            await self._alerts.close(planned.alert, "the pod reports that it has ended")
        except QuorateError as error:
            del self._closed[about]
            log.warning("%s: %s", planned.alert.subject.key, error)

    def _is_due(self, uid: str, planned: Planned) -> bool:
        """Whether the alert is news, or holds and was last raised a while ago."""
        report, now = planned.report, self._monotonic()
        about = (uid, report.rule, report.since)
        last = self._raised.get(about)
        if last is not None and (report.until is not None or now - last < REPEAT_SECONDS):
            return False
        # What leads to a deletion is bounded there.
        if planned.delete is None and not self._bucket.take(now):
            return False
        self._raised[about] = now
        self._raised.move_to_end(about)
        if len(self._raised) > REMEMBERED_MAX:
            self._raised.popitem(last=False)
        return True

    def _seen(self, reports: PodReports) -> SeenPod | None:
        pod = self._world.pods.get(pod_key(reports))
        if pod is None or pod.uid != reports.uid:
            return None
        model = self._world.get(Key(ATTESTED_MODEL.name, reports.namespace, pod.model))
        owners = model.model.owners if model is not None and model.model is not None else None
        return SeenPod(pod, reports.uid in self._world.protected, owners)

    def _doubt(self, reports: PodReports, why: str) -> None:
        if reports.uid not in self._doubted:
            self._doubted.add(reports.uid)
            log.warning("nothing is done about what %s reports: %s", pod_key(reports), why)
