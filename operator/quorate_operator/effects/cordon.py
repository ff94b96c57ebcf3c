"""Cordoning a node that runs a static pod: nothing new is scheduled there. Off unless asked for.

Bounded, because a pod that only poses as a mirror names a node of its maker's choice.
"""

import logging
import re
from collections import deque
from collections.abc import Callable

from quorate.errors import QuorateError
from quorate_operator.alerts import Alerts, Done
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import NODE
from quorate_operator.reconcile.actions import CordonNode

WINDOW_SECONDS = 600.0
NODES_MAX = 3
"""Nodes that are cordoned within the window. Further ones are left, and their incidents say so."""
REMEMBERED_MAX = 4096
CORDONED, LEFT = "NodeCordoned", "NodeLeft"

log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Cordons:
    """Cordons each node once: whoever uncordons it has looked at it."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        alerts: Alerts,
        monotonic: Callable[[], float],
        *,
        enabled: bool,
    ) -> None:
        self._api = api
        self._holder = holder
        self._alerts = alerts
        self._monotonic = monotonic
        self._enabled = enabled
        self._times: deque[float] = deque()
        self._done: dict[tuple[str, str], None] = {}

    async def cordon(self, action: CordonNode) -> None:
        """Cordon the node because of this pod. Raises QuorateError if it must be tried again."""
        about = (action.node, action.because.subject.uid)
        if not self._enabled or about in self._done or not _NAME.fullmatch(action.node):
            return
        now = self._monotonic()
        while self._times and now - self._times[0] >= WINDOW_SECONDS:
            self._times.popleft()
        if len(self._times) >= NODES_MAX:
            done = Done(LEFT, f"node {action.node} is not cordoned: {NODES_MAX} others were lately")
        else:
            check(self._holder)
            await self._api.merge(NODE.path(name=action.node), {"spec": {"unschedulable": True}})
            self._times.append(now)
            done = Done(CORDONED, f"node {action.node} is cordoned")
        self._done[about] = None
        if len(self._done) > REMEMBERED_MAX:
            self._done.pop(next(iter(self._done)))
        log.error("%s: %s", action.because.subject.key, done.message)
        try:
            await self._alerts.record(action.because, done)
        except QuorateError as error:
            log.warning("not written into the SafetyIncident: %s", error)
