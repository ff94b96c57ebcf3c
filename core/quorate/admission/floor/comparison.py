"""An injected container compared with what :mod:`quorate.admission.injection` would make."""

from typing import Any

import msgspec

from quorate.admission import injection
from quorate.admission.cel_literal import Expression, literal
from quorate.admission.injection import (
    MEMBER_NAME,
    MEMBER_OPTION,
    SECRET_NAME,
    InjectionConfig,
    Resources,
)
from quorate.consensus.thresholds import MEMBERS_MAX

_GENESIS, _IMAGE, _VOLUME, _MEMBERS = "<genesis>", "<image>", "<model volume>", "<members>"
_SECRET = "<secret>"
_KINDS = ["limits", "requests"]


def measure_is_injected(config: InjectionConfig) -> str:
    """CEL: ``variables.measure`` is the container that measures."""
    container = injection.measure_container(_open(config), _VOLUME)
    return _is_injected("measure", container, config.measure_resources)


def sidecar_is_injected(config: InjectionConfig) -> str:
    """CEL: ``variables.sidecar`` is the sidecar, with the mount of a deck exactly in a pod that has
    one."""
    container = injection.sidecar_container(_open(config), _VOLUME)
    return _is_injected("sidecar", container, config.sidecar_resources, asks=True)


def decks_are_decks() -> str:
    """CEL: the volume with a deck, if there is one, is a Secret and nothing else."""
    named = Expression("v.secret.secretName")
    expected = injection.canary_volume(_SECRET)
    filled = literal(_filled(expected, {_SECRET: named}))
    return (
        "variables.decks.all(v, has(v.secret) && has(v.secret.secretName)\n"
        f"  && v.secret.secretName.matches({literal(f'^{SECRET_NAME}$')})\n"
        f"  && v == {filled})"
    )


def _open(config: InjectionConfig) -> InjectionConfig:
    """The configuration with marks where the value is known at evaluation only."""
    return msgspec.structs.replace(
        config, image=_IMAGE, genesis_digest=_GENESIS, members=(_MEMBERS,)
    )


def _is_injected(
    short: str, container: dict[str, Any], resources: Resources, *, asks: bool = False
) -> str:
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
    if asks:
        filled["volumeMounts"] = _mounts(filled["volumeMounts"])
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


def _mounts(mounts: list[Any]) -> Expression:
    """The mounts, and that of a deck in a pod that has one."""
    deck = literal([injection.CANARY_MOUNT])
    return Expression(
        f"dyn({literal(mounts)})\n    + (size(variables.decks) > 0 ? dyn({deck}) : dyn([]))"
    )


def _filled(value: Any, marks: dict[str, Expression]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(child, marks) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, marks) for child in value]
    return marks.get(value, value) if isinstance(value, str) else value
