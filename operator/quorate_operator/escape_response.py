"""Acts on pods that escaped admission: incidents, Events, deletions, each at a bounded pace."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from quorate.admission import pods
from quorate.api.v1alpha1.meta import Owners
from quorate.errors import QuorateError
from quorate_operator.alerts import Alerts
from quorate_operator.effects.cordon import Cordons
from quorate_operator.effects.events import Bucket, Events
from quorate_operator.effects.removal import Removals
from quorate_operator.kinds import ATTESTED_MODEL, Key
from quorate_operator.reconcile.actions import RaiseAlert
from quorate_operator.reconcile.escape import MANY, FoundEscape, many, plan_escape
from quorate_operator.world import World

INCIDENT_RATE, INCIDENT_BURST = 0.1, 50.0
"""Incidents a second that are about one pod each, and how many at once: admission may be off, and a
controller may start another pod for each that is deleted. Beyond it ManyPodsEscaped is the one."""

log = logging.getLogger(__name__)


class EscapeResponse:
    """Tells of escapes, and has them deleted. Who goes first is the caller's order."""

    def __init__(
        self,
        world: World,
        alerts: Alerts,
        events: Events,
        removals: Removals,
        cordons: Cordons,
        place: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._world = world
        self._alerts = alerts
        self._events = events
        self._removals = removals
        self._cordons = cordons
        self._place = place
        self._monotonic = monotonic
        self._bucket = Bucket(INCIDENT_RATE, INCIDENT_BURST)
        self._own: set[str] = set()
        """UIDs of pods that have an incident of their own."""

    async def act(self, found: Sequence[FoundEscape], namespaces: Mapping[str, int]) -> None:
        """Act on what a look kept; ``namespaces`` counts all that it found, kept or not."""
        self._own &= {one.uid for one in found}
        if not found:
            return
        together = many(namespaces, self._place)
        if sum(namespaces.values()) > MANY:
            await self._alerts.raise_alert(together)
        may_delete = True
        for one in found:
            try:
                may_delete = await self._act_on(one, together, may_delete)
            except QuorateError as error:
                log.warning("%s: %s", pods.display_name(one.pod), error)

    async def _act_on(self, one: FoundEscape, together: RaiseAlert, may_delete: bool) -> bool:
        """Whether more may be deleted after this one."""
        planned = plan_escape(one, self._owners(one))
        alert = planned.alert if self._has_its_own(one.uid) else together
        await self._alerts.raise_alert(alert)
        if planned.event is not None:
            self._events.post(planned.event)
        if planned.cordon is not None:
            await self._cordons.cordon(planned.cordon)
        if planned.delete is None or not may_delete:
            return may_delete
        return await self._removals.delete(replace(planned.delete, because=alert))

    def _has_its_own(self, uid: str) -> bool:
        if uid not in self._own and self._bucket.take(self._monotonic()):
            self._own.add(uid)
        return uid in self._own

    def _owners(self, one: FoundEscape) -> Owners | None:
        key = Key(ATTESTED_MODEL.name, one.namespace, pods.model_name(one.pod))
        known = self._world.get(key)
        return known.model.owners if known is not None and known.model is not None else None
