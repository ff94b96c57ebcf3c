"""The score of an action, in thousandths, and its band. Signals add; floors raise; nothing lowers.

Every policy's table is looked at by itself and the highest counts. Only a ClusterSafetyPolicy says
what holds instead of a default: where none declares a tool or weighs a class, the default stays
among what is compared, so a tenant's own policy can only raise.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from quorate.consensus.request import BANDS, Band, Risk, band_of
from quorate.consensus.wire import SCORE_MAX
from quorate.limits import KIB
from quorate.risk.rules import (
    CHAT,
    UNDECLARED,
    WEIGHTS,
    ActionClass,
    Floor,
    FloorKind,
    RiskTable,
    Tool,
)

IRREVERSIBLE: Final = 150
LARGE: Final = 60
LARGE_BYTES: Final = 4 * KIB
HUGE: Final = 120
HUGE_BYTES: Final = 16 * KIB
OUTSIDE: Final = 80
"""Tools answered in the conversation: some of it outsiders may have written."""
LONG: Final = 80
"""The conversation is so long that members may not be shown all of it."""
FOUND: Final = {"pii": 150, "secrets": 300}
FOUND_OTHER: Final = 300
"""A content check that has no number of its own."""


class Signals(msgspec.Struct, frozen=True):
    """What is known of an action before anybody is asked. ``tool`` is empty for an answer."""

    tool: str
    argument_bytes: int = 0
    outside: bool = False
    long: bool = False
    found: frozenset[str] = frozenset()
    """Content checks that found something in the conversation or the action."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """An action's risk. ``reasons`` say what made it so, for people, strongest first."""

    capability: str
    action_class: ActionClass
    risk: Risk
    reasons: tuple[str, ...]
    capabilities: frozenset[str]
    """All that any policy declares it to be of: a freeze of one of them covers it."""


def assess(signals: Signals, tables: Collection[RiskTable]) -> Assessment:
    """How risky an action is, by the tables of all policies that select the pod."""
    platforms = tuple(_declarations(signals.tool, [one for one in tables if one.platform]))
    tenants = tuple(_declarations(signals.tool, [one for one in tables if not one.platform]))
    declared = (*platforms, *tenants)
    classes = {tool.action_class for tool in declared}
    capabilities = {tool.capability for tool in declared}
    if not platforms:
        # Also of what a tenant declares: their word takes away no floor for what nobody declared.
        classes.add(ActionClass.UNKNOWN if signals.tool else ActionClass.ANSWER)
        capabilities.add(UNDECLARED if signals.tool else CHAT)
    weights = {one: _weight(one, tables) for one in classes}
    # Of two with one weight the name decides, so that one action has one digest.
    action_class = max(weights, key=lambda one: (weights[one], one))
    parts = {f"class {action_class}": weights[action_class]}
    parts |= _additions(signals, irreversible=any(tool.irreversible for tool in declared))
    score = min(SCORE_MAX, sum(parts.values()))
    floors = [
        floor
        for table in tables
        for floor in table.floors
        if _covers(floor, signals.tool, capabilities, classes)
    ]
    band = highest(band_of(score), *(floor.band for floor in floors))
    raised = [floor for floor in floors if floor.band is band and band is not band_of(score)]
    reasons = [f"floor of {floor.kind} {floor.name}" for floor in raised]
    reasons += sorted(parts, key=lambda part: -parts[part])
    return Assessment(
        capability=_capability(signals.tool, platforms, action_class),
        action_class=action_class,
        risk=Risk(score, band),
        reasons=tuple(dict.fromkeys(reasons)),
        capabilities=frozenset(capabilities),
    )


def highest(*bands: Band) -> Band:
    """The strictest of some bands."""
    return max(bands, key=BANDS.index)


def _declarations(tool: str, tables: Collection[RiskTable]) -> Iterator[Tool]:
    """What each table says of a tool: by its whole name, or the longest beginning."""
    for table in tables:
        matching = [one for one in table.tools if _matches(one.name, tool)]
        if matching:
            yield max(matching, key=lambda one: (not one.name.endswith("*"), len(one.name)))


def _matches(name: str, tool: str) -> bool:
    return bool(tool) and (tool.startswith(name[:-1]) if name.endswith("*") else tool == name)


def _weight(action_class: ActionClass, tables: Collection[RiskTable]) -> int:
    said = [
        (table.platform, weight.score)
        for table in tables
        for weight in table.weights
        if weight.action_class is action_class
    ]
    scores = [score for _, score in said]
    if not any(platform for platform, _ in said):
        scores.append(WEIGHTS[action_class])
    return max(scores)


def _additions(signals: Signals, *, irreversible: bool) -> dict[str, int]:
    size = signals.argument_bytes
    found = {
        "irreversible": IRREVERSIBLE if irreversible else 0,
        "size of arguments": HUGE if size > HUGE_BYTES else LARGE if size > LARGE_BYTES else 0,
        "results of tools": OUTSIDE if signals.outside else 0,
        "long conversation": LONG if signals.long else 0,
    }
    found |= {f"check {name}": FOUND.get(name, FOUND_OTHER) for name in sorted(signals.found)}
    return {name: score for name, score in found.items() if score}


def _covers(
    floor: Floor, tool: str, capabilities: set[str], classes: Collection[ActionClass]
) -> bool:
    if floor.kind is FloorKind.CAPABILITY:
        return floor.name in capabilities
    if floor.kind is FloorKind.ACTION_CLASS:
        return floor.name in classes
    # However it is spelled: a floor must not end where a capital letter begins.
    return _matches(floor.name.casefold(), tool.casefold())


def _capability(tool: str, platforms: Collection[Tool], action_class: ActionClass) -> str:
    """The platform's, and of several that of the declaration that made the class."""
    if not platforms:
        return UNDECLARED if tool else CHAT
    return min((one.action_class is not action_class, one.capability) for one in platforms)[1]
