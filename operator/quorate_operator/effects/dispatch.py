"""Carries out what was planned."""

from collections.abc import Callable
from dataclasses import dataclass

from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiServer, Document
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import Holder
from quorate_operator.effects.gate import Gates
from quorate_operator.effects.member import Questions
from quorate_operator.effects.status import KINDS, apply_status
from quorate_operator.kinds import Kind
from quorate_operator.reconcile.actions import (
    Action,
    ApplyStatus,
    EmitEvent,
    Evaluate,
    RaiseAlert,
    ReleaseGate,
)


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything a look at an object may lead to. ``arrived`` is told of what was written."""

    api: ApiServer
    holder: Holder
    questions: Questions
    events: Events
    alerts: Alerts
    gates: Gates
    arrived: Callable[[Kind, Document], None]

    async def carry_out(self, action: Action) -> None:
        """Do it. Raises QuorateError for what must be tried again."""
        match action:
            case Evaluate():
                await self.questions.ask(action)
            case ApplyStatus():
                await self._apply(action)
            case ReleaseGate():
                await self.gates.release(action)
            case EmitEvent():
                self.events.post(action)
            case RaiseAlert():
                await self.alerts.raise_alert(action)
            case _:
                raise TypeError(f"no look at an object plans {action}")

    async def _apply(self, action: ApplyStatus) -> None:
        written = await apply_status(self.api, self.holder, action)
        if written is not None:
            # Known at once, so that the next look does not write it again.
            self.arrived(KINDS[action.target.key.kind], written)
