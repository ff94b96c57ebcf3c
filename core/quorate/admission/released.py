"""The operator's mark on a pod whose gate it removed: which pod it was, and as what.

The mark is a MAC, so that nobody but the operator can make one, whether the floor holds or not. It
covers the UID, because templates copy annotations, and what the API server lets people change in a
pod that exists. It says that a pod met admission; what policies said afterwards is not its affair.
"""

import hashlib
import hmac
import json
import re
from enum import StrEnum
from typing import Any

from quorate import names
from quorate.admission import pods
from quorate.admission.injection import Pod

_PURPOSE = b"quorate.dev/released/v1\0"
_DIGEST_CHARS = 64
_FORM = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{64}")
_GIVEN = "topology.kubernetes.io/"
"""Labels that the API server copies from the node when a pod is bound."""


class Release(StrEnum):
    """What a pod's mark says."""

    INTACT = "Intact"
    """Released by the operator, and still what it was."""
    CHANGED = "Changed"
    """Released by the operator, and changed since."""
    NONE = "None"
    """No mark, or one for another pod, or a forged one."""


def changeable(pod: Pod) -> str:
    """Digest of what an UPDATE or a subresource can change in a pod and a policy looks at."""
    labels = pods.labels(pod)
    seen = [
        {name: labels[name] for name in labels if not name.startswith(_GIVEN)},
        [(path, c["name"], c.get("image"), _resources(c)) for path, c in pods.all_containers(pod)],
        pod["spec"].get("ephemeralContainers") or [],
    ]
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def mark(key: bytes, uid: str, digest: str) -> str:
    """The annotation's value for a pod of this UID and this :func:`changeable` digest."""
    code = hmac.new(key, _PURPOSE + f"{uid}|{digest}".encode(), hashlib.sha256)
    return f"{digest}.{code.hexdigest()}"


def release(pod: Pod, key: bytes) -> Release:
    """Whether the operator released this very pod, and whether it is what it was."""
    metadata = pod["metadata"]
    shown = (metadata.get("annotations") or {}).get(names.RELEASED_ANNOTATION)
    if not isinstance(shown, str) or not shown.isascii():
        return Release.NONE
    digest = shown[:_DIGEST_CHARS]
    if not hmac.compare_digest(shown, mark(key, metadata.get("uid", ""), digest)):
        return Release.NONE
    return Release.INTACT if digest == changeable(pod) else Release.CHANGED


def claimed(pod: Pod) -> Release:
    """What the mark says if it is genuine: for those who cannot read the operator's key."""
    shown = (pod["metadata"].get("annotations") or {}).get(names.RELEASED_ANNOTATION)
    if not isinstance(shown, str) or not _FORM.fullmatch(shown):
        return Release.NONE
    return Release.INTACT if shown[:_DIGEST_CHARS] == changeable(pod) else Release.CHANGED


def _resources(container: dict[str, Any]) -> Any:
    """Those of the injected containers; a user's may be resized."""
    return container.get("resources") if container["name"] in pods.INJECTED else None
