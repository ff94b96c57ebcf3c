"""Closes incidents in our namespace by themselves, a while after their cause has gone.

Whoever looks says each time for which subjects a rule holds, or might: what cannot be seen has not
ended. What happened is people's to settle; an incident that they settled is left as it is.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate_operator.alerts import Alerts

CALM_SECONDS: Final = 300.0
"""For so long the cause must be gone: as long as one that lasts is counted once. So what comes and
goes is one incident."""
LIST_SECONDS: Final = 60.0
"""Between two looks at the incidents of a rule."""
GAP_SECONDS: Final = 60.0
"""After a longer pause between two looks the time begins anew: nobody knows what was in it."""
WHY: Final = f"its cause has been gone for {CALM_SECONDS / 60:.0f} minutes"

log = logging.getLogger(__name__)


class AlertEndings:
    """Remembers for each rule when what held last."""

    def __init__(self, alerts: Alerts, monotonic: Callable[[], float]) -> None:
        self._alerts = alerts
        self._monotonic = monotonic
        self._held: dict[tuple[Rule, str], float] = {}
        self._looked: dict[Rule, float] = {}
        self._begun: dict[Rule, float] = {}
        self._listed: dict[Rule, float] = {}
        self._closed: set[Rule] = set()
        """Rules of which no incident is open, since nothing held."""

    async def look(self, holding: Mapping[Rule, Collection[str]]) -> None:
        """``holding``: by rule, the names of subjects for which it holds or might. Never raises:
        what cannot be closed now is closed later."""
        for rule, names in holding.items():
            self._note(rule, names)
            if not self._is_due(rule):
                continue
            try:
                await self._close(rule)
            except QuorateError as error:
                log.info("incidents of %s are not closed: %s", rule, error)

    def _note(self, rule: Rule, names: Collection[str]) -> None:
        now = self._monotonic()
        if now - self._looked.get(rule, float("-inf")) > GAP_SECONDS:
            self._begun[rule] = now
        self._looked[rule] = now
        self._held |= {(rule, name): now for name in names}
        if names:
            self._closed.discard(rule)

    def _is_due(self, rule: Rule) -> bool:
        now = self._monotonic()
        calm = now - self._begun[rule] >= CALM_SECONDS
        listed = self._listed.get(rule, float("-inf"))
        return calm and rule not in self._closed and now - listed >= LIST_SECONDS

    async def _close(self, rule: Rule) -> None:
        now = self._monotonic()
        self._listed[rule] = now
        self._held = {key: at for key, at in self._held.items() if now - at < CALM_SECONDS}
        lately = {name for held, name in self._held if held is rule}
        await self._alerts.close_about_others(rule, lately, WHY)
        if not lately:
            self._closed.add(rule)
