"""What is looked at all the time: members' silence, changed files, and gauges."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, Protocol

from quorate import names
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate_operator.alert_endings import AlertEndings
from quorate_operator.alerts import Alerts
from quorate_operator.committee import Committee
from quorate_operator.effects.fence import Holder
from quorate_operator.escape_scan import EscapeScan
from quorate_operator.intake import Queues
from quorate_operator.kinds import Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.reconcile.serving import service
from quorate_operator.reconcile.texts import clipped
from quorate_operator.watch_age import WatchAges

LOOK_SECONDS = 5.0
MEMBER_DOWN_SECONDS = 60.0
"""A member that has not answered for so long is an alert. States live for ten times as long."""
WATCH_STALE_SECONDS = 120.0
"""A watch that has been silent for so long is an alert; at 180 s this process starts anew."""

SCAN_LATE_SECONDS = 60.0
"""Twice the time in which a pod that escaped admission is to be found."""

LASTING: Final = (
    Rule.MEMBER_UNAVAILABLE,
    Rule.MEMBER_STORE_BROKEN,
    Rule.OPERATOR_WATCH_STALE,
    Rule.ESCAPE_SCAN_LATE,
)
"""What is raised here, and ends."""

log = logging.getLogger(__name__)


class ConfigChanged(Exception):
    """The mounted configuration is another one: this process must start again with it."""


class Supervision:
    """Looks at everything every few seconds."""

    def __init__(
        self,
        namespace: str,
        committee: Committee,
        alerts: Alerts,
        ages: WatchAges,
        queues: Queues,
        holder: Holder,
        scan: EscapeScan,
        metrics: Metrics,
        endings: AlertEndings,
    ) -> None:
        self._namespace = namespace
        self._committee = committee
        self._alerts = alerts
        self._ages = ages
        self._queues = queues
        self._holder = holder
        self._scan = scan
        self._metrics = metrics
        self._endings = endings

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._measure()
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Raise what holds, and have closed what has ended."""
        silent, broken = self._committee.silent(), self._committee.stores_broken()
        found = (
            *(member_alert(name, silent, self._namespace) for name in silent),
            *(store_alert(name, why, self._namespace) for name, why in broken.items()),
            watch_alert(self._ages.ages(), self._namespace),
            scan_alert(self._scan.age, self._namespace),
        )
        raised = [alert for alert in found if alert is not None]
        for alert in raised:
            await self._alerts.raise_alert(alert)
        holding = {rule: {a.subject.key.name for a in raised if a.rule is rule} for rule in LASTING}
        # Of a member that is away nobody knows how it is.
        away = {names.member_object(name) for name in silent}
        for rule in (Rule.MEMBER_UNAVAILABLE, Rule.MEMBER_STORE_BROKEN):
            holding[rule] |= away
        await self._endings.look(holding)

    def _measure(self) -> None:
        self._metrics.lease_held.set(self._holder.held)
        for kind, age in self._ages.ages().items():
            self._metrics.watch_age.labels(kind).set(age)
        for queue in self._queues.all():
            self._metrics.queue.labels(queue.name).set(len(queue))


def member_alert(name: str, silent: Mapping[str, float], namespace: str) -> RaiseAlert | None:
    """The alert for a member that has been silent for so long, if it is one.

    ``silent`` are all members that do not answer now, and the seconds for which they have not.
    """
    if silent[name] < MEMBER_DOWN_SECONDS:
        return None
    others = f" (nor do {', '.join(sorted(silent.keys() - {name}))})" if len(silent) > 1 else ""
    summary = clipped(
        f"{name} does not answer the operator{others}: it signs no certificates and states; "
        "without enough members protected pods deny when theirs expire"
    )
    subject = service(namespace, names.member_object(name))
    return RaiseAlert(Rule.MEMBER_UNAVAILABLE, subject, namespace, summary)


def store_alert(name: str, why: str, namespace: str) -> RaiseAlert:
    """The alert for a member that keeps no votes any more, by its own word."""
    summary = clipped(
        f"{name} cannot keep its votes ({why}): it abstains from every action until it starts again"
    )
    subject = service(namespace, names.member_object(name))
    return RaiseAlert(Rule.MEMBER_STORE_BROKEN, subject, namespace, summary)


def watch_alert(ages: Mapping[str, float], namespace: str) -> RaiseAlert | None:
    """The alert for watches that have been silent for so long, if there are any."""
    silent = [f"{kind} ({age:.0f} s)" for kind, age in ages.items() if age > WATCH_STALE_SECONDS]
    if not silent:
        return None
    subject = Target(Key("Deployment", namespace, names.OPERATOR_ACCOUNT), "", "apps/v1")
    summary = (
        f"the operator has heard nothing about {', '.join(silent)}: gated pods wait, and "
        "members are sent no heartbeat"
    )
    return RaiseAlert(Rule.OPERATOR_WATCH_STALE, subject, namespace, summary)


def scan_alert(seconds: float, namespace: str) -> RaiseAlert | None:
    """The alert for pods that were not all looked at for so long, if it is one."""
    if seconds < SCAN_LATE_SECONDS:
        return None
    subject = Target(Key("Deployment", namespace, names.OPERATOR_ACCOUNT), "", "apps/v1")
    summary = (
        "the pods of enforcing namespaces were not all looked at lately: one that escaped "
        "admission may run unseen"
    )
    return RaiseAlert(Rule.ESCAPE_SCAN_LATE, subject, namespace, summary)


class Watched(Protocol):
    """Files that a process was configured by."""

    def contents(self) -> tuple[bytes, ...]:
        """What is in them now. Raises QuorateError."""


async def watch_files(files: Watched, contents: tuple[bytes, ...], period: float) -> None:
    """Raise ConfigChanged once a file is different. One that cannot be read now is waited for."""
    while True:
        await asyncio.sleep(period)
        try:
            changed = files.contents() != contents
        except QuorateError as error:
            log.warning("the configuration cannot be read now: %s", error)
            continue
        if changed:
            raise ConfigChanged("a mounted configuration file was changed")
