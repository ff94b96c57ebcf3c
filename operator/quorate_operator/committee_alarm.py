"""Incidents about the committee: opened while something lasts, closed when it has ended."""

from collections.abc import Callable, Mapping

from quorate.alerts import Rule
from quorate_operator.alerts import Alerts
from quorate_operator.reconcile.actions import Target
from quorate_operator.reconcile.committee_conditions import DEGRADED, alerts, ended
from quorate_operator.reconcile.conditions import Observation


class CommitteeAlarm:
    """Remembers since when the committee is degraded, and what was closed."""

    def __init__(self, alerts_: Alerts, monotonic: Callable[[], float]) -> None:
        self._alerts = alerts_
        self._monotonic = monotonic
        self._degraded_since: float | None = None
        self._closed: set[Rule] = set()

    async def look(self, observed: Mapping[str, Observation], subject: Target) -> None:
        """Raise what holds, and close what does not. Raises QuorateError if it cannot be closed."""
        now = self._monotonic()
        if observed[DEGRADED].status != "True":
            self._degraded_since = None
        elif self._degraded_since is None:
            self._degraded_since = now
        seconds = 0.0 if self._degraded_since is None else now - self._degraded_since
        for alert in alerts(observed, seconds, subject):
            self._closed.discard(alert.rule)
            await self._alerts.raise_alert(alert)
        for rule in ended(observed) - self._closed:
            await self._alerts.close_others(rule, set(), "it has ended")
            self._closed.add(rule)
