"""A pod that is too large to be looked at in time is refused before anything else looks at it."""

from typing import Any

from quorate import limits
from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.verdict import Denial, Reason

_LISTS = ("args", "env", "envFrom", "ports", "volumeDevices", "volumeMounts")


def too_large(pod: Pod) -> Denial | None:
    """Why nothing else is said about it; None if it is of a size that pods have."""
    containers = [container for _, container in pods.all_containers(pod)]
    if len(containers) > limits.CONTAINERS_PER_POD:
        return _denial(len(containers), "containers", limits.CONTAINERS_PER_POD)
    parts = len(pods.volumes(pod)) + sum(map(_parts, containers))
    if parts > limits.PARTS_PER_POD:
        what = "volumes, mounts, arguments, variables and ports"
        return _denial(parts, what, limits.PARTS_PER_POD)
    return None


def _parts(container: dict[str, Any]) -> int:
    return sum(len(container.get(field) or ()) for field in _LISTS)


def _denial(found: int, what: str, most: int) -> Denial:
    message = f"the pod has {found} {what}; at most {most} are looked at"
    return Denial(Reason.MALFORMED, message, fix="write a smaller pod")
