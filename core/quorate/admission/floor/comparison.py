"""An injected container compared with what :mod:`quorate.admission.injection` would make."""

from typing import Any

import msgspec

from quorate.admission import injection
from quorate.admission.cel_literal import Expression, literal
from quorate.admission.injection import (
    MEMBER_NAME,
    MEMBER_OPTION,
    InjectionConfig,
    Resources,
)
from quorate.consensus.thresholds import MEMBERS_MAX

_GENESIS, _IMAGE, _VOLUME, _MEMBERS = "<genesis>", "<image>", "<model volume>", "<members>"
_KINDS = ["limits", "requests"]


def measure_is_injected(config: InjectionConfig) -> str:
    """CEL: ``variables.measure`` is the container that measures."""
    container = injection.measure_container(_open(config), _VOLUME)
    return _is_injected("measure", container, config.measure_resources)


def sidecar_is_injected(config: InjectionConfig) -> str:
    """CEL: ``variables.sidecar`` is the sidecar."""
    container = injection.sidecar_container(_open(config), _VOLUME)
    return _is_injected("sidecar", container, config.sidecar_resources)


def _open(config: InjectionConfig) -> InjectionConfig:
    """The configuration with marks where the value is known at evaluation only."""
    return msgspec.structs.replace(
        config, image=_IMAGE, genesis_digest=_GENESIS, members=(_MEMBERS,)
    )


def _is_injected(short: str, container: dict[str, Any], resources: Resources) -> str:
    """Equal in every field; of the resources, what we name.

    LimitRange admission gives every container what it does not name, such as ephemeral-storage.
    """
    actual = f"variables.{short}"
    marks = {
        _IMAGE: Expression("variables.image"),
        _GENESIS: Expression("variables.genesis"),
        _VOLUME: Expression("variables.modelVolume"),
    }
    filled = _filled(container, marks) | {
        "args": _arguments(_filled(container["args"], marks)),
        # Equal to itself here; what it names is compared below.
        "resources": Expression(f"{actual}.resources"),
    }
    amounts = "\n".join(
        f"    && {actual}.resources[kind].{name} == {literal(amount)}"
        for name, amount in (("cpu", resources.cpu), ("memory", resources.memory))
    )
    return (
        f"has({actual}.resources) && {actual} == {literal(filled)}\n"
        f"  && {actual}.resources.all(kind, kind in {literal(_KINDS)})\n"
        f"  && {literal(_KINDS)}.all(kind, kind in {actual}.resources\n"
        f"    && 'cpu' in {actual}.resources[kind] && 'memory' in {actual}.resources[kind]\n"
        f"{amounts})"
    )


def members_are_names() -> str:
    """CEL: the members to begin with are as many as there may be, each with a name for a host."""
    named = literal(f"^{MEMBER_OPTION}{MEMBER_NAME}$")
    return (
        f"size(variables.members) > 0 && size(variables.members) <= {MEMBERS_MAX}\n"
        f"  && variables.members.all(a, a.matches({named}))"
    )


def _arguments(arguments: list[str]) -> Expression:
    """The arguments with the pod's own list of members where ours would stand."""
    at = arguments.index(f"{MEMBER_OPTION}{_MEMBERS}")
    before, after = literal(arguments[:at]), literal(arguments[at + 1 :])
    rest = f" + dyn({after})" if arguments[at + 1 :] else ""
    return Expression(f"dyn({before}) + variables.members{rest}")


def _filled(value: Any, marks: dict[str, Expression]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(child, marks) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, marks) for child in value]
    return marks.get(value, value) if isinstance(value, str) else value
