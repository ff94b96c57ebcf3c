"""What policies say about risk, compiled: one table for each policy that says something."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.consensus.request import ADMISSION, BAND_FROM, Band
from quorate.consensus.wire import SCORE_MAX
from quorate.errors import InvalidInput

CHAT: Final = "chat"
"""The capability of an answer that calls no tool."""
UNDECLARED: Final = "undeclared"
"""The capability of a tool that no ClusterSafetyPolicy declares."""
RESERVED: Final = frozenset({ADMISSION, CHAT, UNDECLARED})
"""Capabilities that no tool has by declaration."""

Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*\Z", max_length=63)]
ToolName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:/@+-]+\*?\Z", max_length=253)]
"""A tool's name; with ``*`` at its end, every name that begins so."""


class ActionClass(StrEnum):
    """What an action does. ``UNKNOWN`` is that of tools nobody declared."""

    ANSWER = "answer"
    READ = "read"
    WRITE = "write"
    SEND = "send"
    CONFIGURE = "configure"
    DELETE = "delete"
    UNKNOWN = "unknown"
    EXECUTE = "execute"
    PAY = "pay"


WEIGHTS: Final[Mapping[ActionClass, int]] = {
    ActionClass.ANSWER: 100,
    ActionClass.READ: 380,
    ActionClass.WRITE: 450,
    ActionClass.SEND: 560,
    ActionClass.CONFIGURE: 640,
    ActionClass.DELETE: 650,
    ActionClass.UNKNOWN: 700,
    ActionClass.EXECUTE: 720,
    ActionClass.PAY: 800,
}
"""Where the score of each class begins, in thousandths, unless a policy says otherwise."""
HARMLESS: Final = frozenset({ActionClass.ANSWER, ActionClass.READ})
"""Classes that change nothing: only their weight may be in the local band."""


class FloorKind(StrEnum):
    """What a floor is about."""

    CAPABILITY = "capability"
    TOOL = "tool"
    ACTION_CLASS = "actionClass"


class Tool(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What a tool does. ``irreversible``: nothing undoes it."""

    name: ToolName
    capability: Word
    action_class: ActionClass
    irreversible: bool = False


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least band of whatever ``name`` names, whatever its score."""

    kind: FloorKind
    name: ToolName
    band: Band


class Weight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the score of a class begins."""

    action_class: ActionClass
    score: Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)]


class RiskTable(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What one policy says. ``platform``: it is a ClusterSafetyPolicy; others only raise."""

    platform: bool
    tools: Annotated[tuple[Tool, ...], msgspec.Meta(max_length=limits.RISK_TOOLS)] = ()
    floors: Annotated[tuple[Floor, ...], msgspec.Meta(max_length=limits.RISK_FLOORS)] = ()
    weights: Annotated[tuple[Weight, ...], msgspec.Meta(max_length=len(ActionClass))] = ()


def check(table: RiskTable, where: str) -> None:
    """Raise InvalidInput, naming the field below ``where``, for what cannot be meant."""
    _unique([tool.name for tool in table.tools], f"{where}.tools")
    _unique([floor.kind + " " + floor.name for floor in table.floors], f"{where}.floors")
    _unique([weight.action_class for weight in table.weights], f"{where}.weights")
    for tool in table.tools:
        if tool.capability in RESERVED:
            field = f"{where}.tools[{tool.name}].capability"
            raise InvalidInput(f"{tool.capability} is not for tools", field=field)
        if tool.action_class in (ActionClass.ANSWER, ActionClass.UNKNOWN):
            field = f"{where}.tools[{tool.name}].actionClass"
            raise InvalidInput(f"{tool.action_class} is not for declared tools", field=field)
    for floor in table.floors:
        if floor.kind is FloorKind.ACTION_CLASS and floor.name not in list(ActionClass):
            raise InvalidInput(f"no action class is named {floor.name}", field=f"{where}.floors")
        if floor.kind is not FloorKind.TOOL and floor.name.endswith("*"):
            raise InvalidInput("only tools may end with *", field=f"{where}.floors")
    for weight in table.weights:
        if weight.score < BAND_FROM[Band.MEDIUM] and weight.action_class not in HARMLESS:
            least = BAND_FROM[Band.MEDIUM]
            raise InvalidInput(
                f"must be at least {least}: no sidecar decides {weight.action_class} alone",
                field=f"{where}.weights[{weight.action_class}].score",
            )


def _unique(found: list[str], where: str) -> None:
    for name in found:
        if found.count(name) > 1:
            raise InvalidInput(f"{name} is listed twice", field=where)
