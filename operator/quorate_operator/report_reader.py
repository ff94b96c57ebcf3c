"""Reads at the member what pods report of themselves, and acts on it, again and again.

What holds is looked at with every answer, not only when it is new: a deletion that failed is tried
again, and an incident that nobody could write is written later.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from quorate import limits
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import PodReports, ReportsAnswer
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.events import Bucket
from quorate_operator.effects.removal import Removals
from quorate_operator.kinds import ATTESTED_MODEL, Key
from quorate_operator.reconcile.report import (
    Planned,
    SeenPod,
    plan_reports,
    pod_key,
    unbelievable,
)
from quorate_operator.world import World

RETRY_SECONDS = 2.0
RATE, BURST = 2.0, 100.0
"""Incidents a second from reports, and how many at once: all pods may lose their member at once."""
REMEMBERED_MAX = 65_536

log = logging.getLogger(__name__)


class ReportSource(Protocol):
    """Where reports are read: :class:`quorate_io.member_client.MemberClient`."""

    async def reports(self, cursor: str = "") -> ReportsAnswer:
        """What changed after the cursor. Raises QuorateError if there is no answer."""


class ReportReader:
    """Follows one member's reports."""

    def __init__(
        self,
        source: ReportSource,
        world: World,
        alerts: Alerts,
        removals: Removals,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._source = source
        self._world = world
        self._alerts = alerts
        self._removals = removals
        self._clock = clock
        self._monotonic = monotonic
        self._bucket = Bucket(RATE, BURST)
        self._cursor = ""
        self._known: dict[str, PodReports] = {}
        self._raised: OrderedDict[tuple[str, Rule, datetime], float] = OrderedDict()
        self._doubted: set[str] = set()

    async def run(self) -> None:
        """Read for ever. A member that does not answer is somebody else's alert."""
        while True:
            try:
                more = await self.read()
            except QuorateError as error:
                log.info("no reports are read: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not more:
                await self.act()

    async def read(self) -> bool:
        """Take in one answer; whether there is more. Raises QuorateError."""
        answer = await self._source.reports(self._cursor)
        if answer.whole:
            self._known.clear()
        for pod in answer.pods:
            if pod.uid in self._known or len(self._known) < limits.PODS_PER_CLUSTER:
                self._known[pod.uid] = pod
        self._cursor = answer.cursor
        return answer.more

    async def act(self) -> None:
        """Raise what is to be raised, and delete what must go. What fails is left for later."""
        for reports in list(self._known.values()):
            seen = self._seen(reports)
            doubt = unbelievable(reports, seen)
            if doubt or seen is None:
                self._doubt(reports, doubt)
                if seen is None:
                    del self._known[reports.uid]
                continue
            for planned in plan_reports(reports, seen, self._clock.now()):
                try:
                    await self._carry_out(reports.uid, planned)
                except QuorateError as error:
                    log.warning("%s: %s", planned.alert.subject.key, error)
        self._doubted &= self._known.keys()

    async def _carry_out(self, uid: str, planned: Planned) -> None:
        if self._is_due(uid, planned) and not await self._alerts.raise_alert(planned.alert):
            self._raised.pop((uid, planned.report.rule, planned.report.since), None)
        if planned.delete is not None:
            await self._removals.delete(planned.delete)

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
