"""Alerts: each is one SafetyIncident, one Event about it, and one count of a metric.

The incident's name comes from its rule and subject, so that a repeat is found again and only raises
its count. One that a person has settled is left alone: a new one is opened beside it.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from quorate import names
from quorate.alerts import Rule
from quorate.errors import QuorateError, Unavailable
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import SAFETY_INCIDENT, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import EmitEvent, RaiseAlert, Target
from quorate_operator.reconcile.texts import clipped, timestamp

REPEAT_SECONDS = 300.0
"""An alert that goes on raises its incident's count at most this often."""
REMEMBERED_MAX = 4096
EPISODES_MAX = 100
"""Incidents of one rule and subject that may have been settled before the one that is open."""
ACTIONS_MAX = 32
"""What a SafetyIncident's status takes."""
OPEN = "Open"
"""Condition of an incident; False once what it is about has ended."""
RUNBOOKS = "https://quorate.dev/runbooks"

log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done about an alert: one word, and how it went."""

    name: str
    message: str


def incident_name(alert: RaiseAlert, episode: int) -> str:
    """The same for every repeat of an alert, and another one after it was settled."""
    about = "|".join((alert.rule, *alert.subject.key, alert.subject.uid, str(episode)))
    digest = hashlib.sha256(about.encode("utf-8")).hexdigest()[:12]
    return f"{alert.rule.lower()}-{digest}"


def incident(alert: RaiseAlert, name: str) -> Document:
    """The SafetyIncident as it is created. Its spec is never changed by us again."""
    key = alert.subject.key
    spec: Document = {
        "severity": alert.severity,
        "rule": alert.rule,
        "summary": clipped(alert.summary),
        "subject": {"kind": key.kind, "name": key.name, "uid": alert.subject.uid},
        "runbookUrl": f"{RUNBOOKS}/{alert.rule.lower()}",
    }
    if alert.owners is not None:
        spec["owners"] = alert.owners.model_dump(mode="json", by_alias=True)
    if alert.approvals:
        spec["approvals"] = [asdict(approval) for approval in alert.approvals]
    return {
        "apiVersion": names.API_VERSION,
        "kind": SAFETY_INCIDENT.name,
        "metadata": {"name": name, "namespace": alert.namespace},
        "spec": spec,
    }


def seen_again(status: Document | None, now: datetime) -> Document:
    """The status after one more sighting."""
    before = status or {}
    count = int(before.get("count") or 0) + 1
    first = before.get("firstSeen") or timestamp(now)
    return {**before, "count": count, "firstSeen": first, "lastSeen": timestamp(now)}


def with_action(status: Document | None, done: Done, now: datetime) -> Document:
    """The status with one more action; the first ACTIONS_MAX are kept."""
    before = status or {}
    action = {
        "name": done.name,
        "time": timestamp(now),
        "actor": names.OPERATOR_USER,
        "message": clipped(done.message),
    }
    return {**before, "actions": [*(before.get("actions") or []), action][:ACTIONS_MAX]}


def _is_closed(found: Document) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(c["type"] == OPEN and c["status"] == "False" for c in conditions)


def _is_settled(found: Document) -> bool:
    """Whether a person wrote how it ended, or what it is about has ended."""
    return bool((found.get("spec") or {}).get("resolution")) or _is_closed(found)


class Alerts:
    """Raises alerts. Failing to is logged, never raised: the reason for it goes on anyway."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        events: Events,
        clock: Clock,
        monotonic: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._holder = holder
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._metrics = metrics
        self._raised: OrderedDict[tuple[str, Target], float] = OrderedDict()

    async def raise_alert(self, alert: RaiseAlert) -> bool:
        """Open the incident, or count one more sighting of it. False if it could not be written."""
        about = (alert.rule, alert.subject)
        now = self._monotonic()
        last = self._raised.get(about)
        if last is not None and now - last < REPEAT_SECONDS:
            return True
        self._raised[about] = now
        self._raised.move_to_end(about)
        if len(self._raised) > REMEMBERED_MAX:
            self._raised.popitem(last=False)
        self._metrics.alerts.labels(alert.rule, alert.severity).inc()
        log.error("%s (%s): %s", alert.rule, alert.severity, alert.summary)
        try:
            opened = await self._open(alert)
        except QuorateError as error:
            log.warning("no SafetyIncident for %s: %s", alert.rule, error)
            self._raised.pop(about, None)
            return False
        target = Target(
            Key(SAFETY_INCIDENT.name, alert.namespace, opened["metadata"]["name"]),
            opened["metadata"].get("uid", ""),
            names.API_VERSION,
        )
        await self._events.emit(
            EmitEvent(target, "Warning", alert.rule, clipped(alert.summary), "Alert")
        )
        return True

    async def opened(self, alert: RaiseAlert) -> str:
        """Raise the alert; returns its incident's name. Raises QuorateError if it has none."""
        if not await self.raise_alert(alert):
            raise Unavailable(f"no SafetyIncident for {alert.subject.key}")
        return str((await self._find_or_create(alert))["metadata"]["name"])

    async def close_others(self, rule: Rule, active: set[str], why: str) -> None:
        """Close the incidents of a rule in our namespace but those about ``active``, by UID.

        Raises QuorateError.
        """
        for found in await self._ours(rule):
            if found["spec"]["subject"].get("uid", "") not in active:
                await self._close(found, why)

    async def close_about_others(self, rule: Rule, active: set[str], why: str) -> None:
        """The same for subjects without a UID: ``active`` by name. Raises QuorateError."""
        for found in await self._ours(rule):
            if found["spec"]["subject"].get("name", "") not in active:
                await self._close(found, why)

    async def close(self, alert: RaiseAlert, why: str) -> None:
        """Close the alert's incident, if one is open. Raises QuorateError."""
        for episode in range(EPISODES_MAX):
            path = SAFETY_INCIDENT.path(alert.namespace, incident_name(alert, episode))
            try:
                found = await self._api.get(path)
            except ApiRefused as error:
                if error.status == 404:
                    return
                raise
            if not _is_settled(found):
                await self._close(found, why)
                return

    async def _ours(self, rule: Rule) -> list[Document]:
        """The incidents of a rule in our namespace."""
        selector = {"fieldSelector": f"spec.rule={rule}"}
        found = await self._api.get(SAFETY_INCIDENT.path(names.NAMESPACE), selector)
        return [one for one in found.get("items") or () if one["spec"]["rule"] == rule]

    async def _close(self, found: Document, why: str) -> None:
        """Write into an incident that what it is about has ended, once; not into one that a person
        has settled."""
        status = found.get("status") or {}
        if _is_settled(found):
            return
        now = self._clock.now()
        closed = {
            "type": OPEN,
            "status": "False",
            "observedGeneration": found["metadata"].get("generation", 0),
            "lastTransitionTime": timestamp(now),
            "reason": "Ended",
            "message": why,
        }
        status = with_action(status, Done("Closed", why), now) | {"conditions": [closed]}
        await self._apply(found["metadata"]["namespace"], found["metadata"]["name"], status)

    async def record(self, alert: RaiseAlert, done: Done) -> None:
        """Write into the alert's incident what was done. Raises QuorateError."""
        found = await self._find_or_create(alert)
        await self._write(alert, found, with_action(found.get("status"), done, self._clock.now()))

    async def _open(self, alert: RaiseAlert) -> Document:
        found = await self._find_or_create(alert)
        await self._write(alert, found, seen_again(found.get("status"), self._clock.now()))
        return found

    async def _write(self, alert: RaiseAlert, found: Document, status: Document) -> None:
        await self._apply(alert.namespace, found["metadata"]["name"], status)

    async def _apply(self, namespace: str, name: str, status: Document) -> None:
        key = Key(SAFETY_INCIDENT.name, namespace, name)
        document = {
            "apiVersion": names.API_VERSION,
            "kind": SAFETY_INCIDENT.name,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": status,
        }
        check(self._holder)
        await self._api.apply_status(SAFETY_INCIDENT, key, document)

    async def _find_or_create(self, alert: RaiseAlert) -> Document:
        for episode in range(EPISODES_MAX):
            name = incident_name(alert, episode)
            check(self._holder)
            try:
                document = incident(alert, name)
                return await self._api.create(SAFETY_INCIDENT, alert.namespace, document)
            except ApiRefused as error:
                if error.status != 409:
                    raise
            found = await self._api.get(SAFETY_INCIDENT.path(alert.namespace, name))
            if not _is_settled(found):
                return found
        raise ApiRefused(409, "TooManyEpisodes", f"{EPISODES_MAX} settled incidents of this kind")
