"""Both injected containers are there once, last among the init containers, to the byte.

But for the names of members to begin with, of which a pod keeps those of the epoch that it was
injected in, and for a deck of canaries that it may have or not.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from quorate import names
from quorate.admission import injection, pods
from quorate.admission.injection import InjectionConfig
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_FIX = "create the pod anew; another webhook or a hand changed what was injected"
_KINDS = ("limits", "requests")


def injected(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """What runs beside the model is what this installation put there."""
    spec, found = subject.spec, subject.model_volumes
    secret = injection.canaries_of(subject.volumes)
    possible = tuple(injection.asking(config, secret) for config in allowed.injections)
    configs = possible
    if len(found) == 1:
        last, volume = (spec.get("initContainers") or [])[-2:], found[0]["name"]
        configs = tuple(c for c in configs if _are_injected(last, volume, c))
        if not configs:
            yield Denial(
                Reason.NOT_INJECTED,
                f"the last init containers must be {' and '.join(pods.INJECTED)}, as injected",
                fix=_FIX,
            )
    foreign = [c["name"] for _, c in subject.users if c["name"].startswith(names.VOLUME_PREFIX)]
    both = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    ours = [c["name"] for c in both if c["name"] in pods.INJECTED]
    if foreign or sorted(ours) != sorted(pods.INJECTED):
        yield Denial(Reason.RESERVED_NAME, "container names must not begin with quorate-", fix=_FIX)
    # Containers and volumes of one and the same release.
    present = {volume["name"]: volume for volume in subject.volumes}
    yield from min((_changed(present, c) for c in configs or possible), key=len)


def _changed(present: dict[str, dict[str, Any]], config: InjectionConfig) -> list[Denial]:
    """One denial for each injected volume that is not as this configuration has it."""
    return [
        Denial(Reason.NOT_INJECTED, f"volume {volume['name']} must be as injected", fix=_FIX)
        for volume in injection.volumes(config)
        if present.get(volume["name"]) != volume
    ]


def _are_injected(last: list[dict[str, Any]], volume: str, config: InjectionConfig) -> bool:
    members = injection.members_of(last[0]) if last else ()
    if not injection.are_names(members):
        return False
    if members != config.members:
        config = msgspec.structs.replace(config, members=members)
    expected = injection.containers(config, volume)
    return len(last) == len(expected) and all(map(_is_injected, last, expected))


def _is_injected(container: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, but for resources that a LimitRange gives every container by default.

    LimitRange admission runs again after mutate and adds what the injected ones do not name, such
    as ephemeral-storage. What they do name must be as it was.
    """
    if container == expected:
        return True
    resources = container.get("resources") or {}
    named = {kind: _named(resources.get(kind), expected["resources"][kind]) for kind in _KINDS}
    return set(resources) == set(_KINDS) and container | {"resources": named} == expected


def _named(amounts: Any, expected: dict[str, str]) -> dict[str, Any]:
    return {key: amounts.get(key) for key in expected} if isinstance(amounts, dict) else {}
