"""Deleting a pod that may not go on as it is, so that its controller starts another.

Bounded over all: however many lie, or escaped at once, the cluster is not emptied at once. Those
that serve nobody where they are also are bounded for each controller, because one whose pods always
listen would otherwise go round for ever.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from quorate.errors import QuorateError
from quorate_operator.alerts import Alerts, Done
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.events import Bucket, Events
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import POD
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import DeletePod, EmitEvent

WINDOW_SECONDS = 600.0
PER_OWNER = 3
"""Pods of one controller that are deleted within the window. Further ones stay, unready."""
RATE, BURST = 0.5, 20.0
"""Deletions a second over all pods, and how many at once. Further ones wait. Pods that may stay and
pods that may not do not wait for each other."""
OWNERS_MAX = 4096
SETTLED_MAX = 65_536
DELETED, LEFT = "PodDeleted", "PodLeftUnready"

log = logging.getLogger(__name__)


class Removals:
    """Deletes pods, and remembers whom it has dealt with."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        alerts: Alerts,
        events: Events,
        monotonic: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._holder = holder
        self._alerts = alerts
        self._events = events
        self._monotonic = monotonic
        self._metrics = metrics
        self._buckets = {may_stay: Bucket(RATE, BURST) for may_stay in (True, False)}
        self._by_owner: OrderedDict[str, deque[float]] = OrderedDict()
        self._settled: OrderedDict[str, None] = OrderedDict()
        """Pods, by UID, that were deleted or left for good."""

    async def delete(self, action: DeletePod) -> bool:
        """Delete the pod, or leave it if its owner's share is used up; either is written down.

        Returns whether it is dealt with; if not, too many are at once. Raises QuorateError if it
        must be tried again.
        """
        uid = action.target.uid
        if uid in self._settled:
            return True
        now = self._monotonic()
        if action.may_stay and self._spent(action.owner, now):
            self._settle(uid)
            await self._tell(
                action,
                LEFT,
                f"not deleted: {PER_OWNER} pods of the same controller were deleted within "
                f"{WINDOW_SECONDS / 60:.0f} minutes and did the same; it stays unready",
            )
            return True
        check(self._holder)
        if not self._buckets[action.may_stay].take(now):
            log.warning("%s waits to be deleted: too many at once", action.target.key)
            return False
        gone = await self._delete(action)
        self._settle(uid)
        if not gone:
            self._count(action.owner, now)
            message = "deleted, so that its controller meets admission again"
            await self._tell(action, DELETED, message)
        return True

    async def _delete(self, action: DeletePod) -> bool:
        """Whether it was gone already, or another pod has its name."""
        try:
            target = action.target
            await self._api.delete(POD, target.key, target.uid, action.grace_seconds)
        except ApiRefused as error:
            if error.status in (404, 409):
                return True
            raise
        return False

    async def _tell(self, action: DeletePod, what: str, message: str) -> None:
        log.error("%s: %s", action.target.key, message)
        self._metrics.removals.labels("deleted" if what == DELETED else "left").inc()
        try:
            await self._alerts.record(action.because, Done(what, message))
        except QuorateError as error:
            log.warning("not written into the SafetyIncident: %s", error)
        note = f"{action.because.rule}: {message}"
        await self._events.emit(EmitEvent(action.target, "Warning", what, note, "Delete"))

    def _spent(self, owner: str, now: float) -> bool:
        times = self._by_owner.get(owner, deque())
        while times and now - times[0] >= WINDOW_SECONDS:
            times.popleft()
        return len(times) >= PER_OWNER

    def _count(self, owner: str, now: float) -> None:
        self._by_owner.setdefault(owner, deque()).append(now)
        self._by_owner.move_to_end(owner)
        if len(self._by_owner) > OWNERS_MAX:
            self._by_owner.popitem(last=False)

    def _settle(self, uid: str) -> None:
        self._settled[uid] = None
        if len(self._settled) > SETTLED_MAX:
            self._settled.popitem(last=False)
