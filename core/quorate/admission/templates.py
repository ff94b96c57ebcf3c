"""Pods of one template: what was found good once is not gone through again.

A Deployment's pods differ in the random name of the volume that ServiceAccount admission adds, and
in nothing else that a rule looks at. So a spec is remembered without that name, and the next one is
compared with it, whole. Nothing is hashed and nothing is left out: equal is equal.

Only a yes is remembered, and only while policies, model and claim are the very objects it was for.
"""

from typing import Any

from quorate.admission.model import KnownModel
from quorate.admission.rules.volumes import API_TOKEN_PREFIX
from quorate.admission.selection import Selection

REMEMBERED_MAX = 256
"""Templates kept. One takes about 20 KiB."""

Spec = dict[str, Any]
Context = tuple[Selection, KnownModel, tuple[str, ...] | None]
"""What a yes depends on besides the spec: policies, model, access modes of its claim."""


class Templates:
    """Specs that were found good, one for each model."""

    def __init__(self) -> None:
        self._good: dict[tuple[str, str], tuple[Context, Spec]] = {}

    def hold(self, context: Context, plain: Spec) -> bool:
        """Whether this very spec was found good in this very context."""
        found = self._good.get(_key(context))
        if found is None:
            return False
        (selection, known, modes), spec = found
        if selection is not context[0] or known is not context[1] or modes != context[2]:
            return False
        return spec == plain

    def remember(self, context: Context, plain: Spec) -> None:
        """A spec was found good; it takes the place of the model's last one."""
        key = _key(context)
        self._good.pop(key, None)
        if len(self._good) >= REMEMBERED_MAX:
            del self._good[next(iter(self._good))]
        self._good[key] = context, plain


def _key(context: Context) -> tuple[str, str]:
    return context[1].namespace, context[1].name


def plain_spec(spec: Spec) -> Spec:
    """The spec without gates, and with the API token's volume under one name wherever it is used.

    Rules do not look at gates. Of that volume's name they see the prefix, which stays: policies
    cannot declare a projected volume, so no rule compares the rest with anything but the mounts.
    """
    names = [
        volume["name"]
        for volume in spec.get("volumes") or ()
        if "projected" in volume and volume["name"].startswith(API_TOKEN_PREFIX)
    ]
    plain = {key: value for key, value in spec.items() if key != "schedulingGates"}
    if len(names) == 1:
        plain["volumes"] = _renamed(spec["volumes"], names[0])
        for field in ("containers", "initContainers"):
            if spec.get(field):
                plain[field] = [_mounting(container, names[0]) for container in spec[field]]
    return plain


def _renamed(items: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [
        item | {"name": API_TOKEN_PREFIX} if item.get("name") == name else item for item in items
    ]


def _mounting(container: dict[str, Any], name: str) -> dict[str, Any]:
    mounts = container.get("volumeMounts")
    if not mounts or all(mount.get("name") != name for mount in mounts):
        return container
    return container | {"volumeMounts": _renamed(mounts, name)}
