"""The images of a pod: as its containers name them, and as the kubelet says it runs them.

``imageID`` is what a container runtime says: a reference with the digest of the manifest that was
pulled, or, for an image that was loaded by hand, an id of its own that no policy could name. Only
the first can be compared with anything.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from quorate import limits
from quorate_io.member_api import ObservedContainer

_DIGEST = re.compile(r"[^@]+@(sha256:[0-9a-f]{64})\Z")
_FIELDS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


def observe_containers(pod: Mapping[str, Any]) -> tuple[ObservedContainer, ...]:
    """All containers of a pod; none if there are more than a member hears of."""
    found = tuple(_observed(pod))
    return found if len(found) <= limits.CONTAINERS_PER_POD else ()


def _observed(pod: Mapping[str, Any]) -> Iterator[ObservedContainer]:
    status = pod.get("status") or {}
    for field, statuses in _FIELDS:
        reported = {item.get("name"): item for item in status.get(statuses) or ()}
        for container in pod["spec"].get(field) or ():
            name = container["name"]
            yield ObservedContainer(
                name=name,
                init=field == "initContainers",
                asked=_digest(container.get("image")),
                runs=_digest(reported.get(name, {}).get("imageID")),
            )


def _digest(reference: Any) -> str:
    found = _DIGEST.match(str(reference or ""))
    return found[1] if found else ""
