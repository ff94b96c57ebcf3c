"""Break-glass: a namespace whose enforcement is suspended is an incident, and enforces again.

Whoever suspends it sets the mode to audit or warn and says until when, in an annotation. The floor
lets only those do so who may update ClusterSafetyPolicies.
"""

import asyncio
import logging

from quorate import names
from quorate.admission.suspension import Suspension, in_words, is_over
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import NAMESPACE, Key
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.reconcile.texts import clipped
from quorate_operator.world import World

LOOK_SECONDS = 5.0

log = logging.getLogger(__name__)


class BreakGlass:
    """Looks at suspended namespaces every few seconds: time alone ends them."""

    def __init__(
        self, world: World, api: ApiServer, holder: Holder, alerts: Alerts, clock: Clock
    ) -> None:
        self._world = world
        self._api = api
        self._holder = holder
        self._alerts = alerts
        self._clock = clock

    async def run(self) -> None:
        """Look for ever. What cannot be written is tried again."""
        while True:
            try:
                await self.look()
            except QuorateError as error:
                log.warning("suspended namespaces: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """An incident for each, also for one that has ended meanwhile; then the end."""
        suspended = dict(self._world.suspended)
        for name, suspension in sorted(suspended.items()):
            # A namespace enforces again although its incident cannot be written.
            await self._alerts.raise_alert(_alert(suspension))
            if is_over(suspension, self._clock.now()):
                await self._enforce(name, suspension)
                del suspended[name]
        uids = {suspension.uid for suspension in suspended.values()}
        await self._alerts.close_others(
            Rule.ENFORCEMENT_SUSPENDED, uids, "the namespace enforces again, or is gone"
        )

    async def _enforce(self, name: str, suspension: Suspension) -> None:
        until = _pointer("annotations", names.ENFORCE_AGAIN)
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": suspension.uid},
            {"op": "test", "path": until, "value": suspension.until},
            {"op": "add", "path": _pointer("labels", names.MODE_LABEL), "value": "enforce"},
            {"op": "remove", "path": until},
        ]
        for said, key in (
            (suspension.because, names.SUSPENDED_BECAUSE),
            (suspension.by, names.SUSPENDED_BY),
        ):
            if said:
                operations.append({"op": "remove", "path": _pointer("annotations", key)})
        check(self._holder)
        await self._api.patch(NAMESPACE.path(name=name), operations)
        log.warning("namespace %s enforces again", name)


def _pointer(field: str, key: str) -> str:
    return f"/metadata/{field}/{key.replace('/', '~1')}"


def _alert(suspension: Suspension) -> RaiseAlert:
    target = Target(Key(NAMESPACE.name, "", suspension.namespace), suspension.uid, "v1")
    summary = clipped(in_words(suspension))
    return RaiseAlert(Rule.ENFORCEMENT_SUSPENDED, target, names.NAMESPACE, summary)
