"""Reading pods: small questions about the JSON of a pod, asked in one place."""

from collections.abc import Iterator
from typing import Any

from quorate import names
from quorate.admission.injection import Pod
from quorate.api.v1alpha1.attested_model import Source

INJECTED = (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER)
Container = dict[str, Any]


def namespace(pod: Pod) -> str:
    """The pod's namespace."""
    value: str = pod["metadata"].get("namespace") or ""
    return value


def labels(pod: Pod) -> dict[str, str]:
    """The pod's labels."""
    return pod["metadata"].get("labels") or {}


def model_name(pod: Pod) -> str:
    """Which AttestedModel the pod says it serves; empty if it does not say."""
    return labels(pod).get(names.MODEL_LABEL, "")


def canaries(pod: Pod) -> str:
    """The Secret whose canaries the pod is to ask, by its annotation; empty for none."""
    return str((pod["metadata"].get("annotations") or {}).get(names.CANARY_ANNOTATION, ""))


def gates(pod: Pod) -> list[str]:
    """Names of the pod's scheduling gates."""
    return [gate["name"] for gate in pod["spec"].get("schedulingGates") or []]


def is_gated(pod: Pod) -> bool:
    """Whether the pod still waits for verification."""
    return names.SCHEDULING_GATE in gates(pod)


def volumes(pod: Pod) -> list[dict[str, Any]]:
    """The pod's volumes."""
    return pod["spec"].get("volumes") or []


def init_containers(pod: Pod) -> list[Container]:
    """The pod's init containers, native sidecars included."""
    return pod["spec"].get("initContainers") or []


def carries_injection(pod: Pod) -> bool:
    """Whether both containers that mutate injects are there."""
    found = {container["name"] for container in init_containers(pod)}
    return found.issuperset(INJECTED)


def all_containers(pod: Pod) -> Iterator[tuple[str, Container]]:
    """Every container with its field path: init, regular and ephemeral."""
    spec = pod["spec"]
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield f"spec.{field}[{index}]", container


def users_containers(pod: Pod) -> list[tuple[str, Container]]:
    """Every container but the two that were injected, with its field path."""
    return [found for found in all_containers(pod) if found[1]["name"] not in INJECTED]


def image_digest(container: Container) -> str:
    """``sha256:…`` of the container's image reference; empty if it names none."""
    return _digest(container.get("image"))


def _digest(reference: Any) -> str:
    _, at, digest = str(reference or "").rpartition("@")
    return digest if at else ""


def has_images_only_of(pod: Pod, digests: frozenset[str]) -> bool:
    """Whether the pod brings in an image, and none but these.

    An image volume counts: it may hold a model or a program as well as a container's image may.
    """
    found = False
    for _, container in all_containers(pod):
        if image_digest(container) not in digests:
            return False
        found = True
    for volume in volumes(pod):
        if "image" in volume and _digest(volume["image"].get("reference")) not in digests:
            return False
    return found


def model_volumes(pod: Pod, source: Source) -> list[dict[str, Any]]:
    """The pod's volumes that are the model's source."""
    if source.directory is not None:
        name = source.directory.volume_name
        return [v for v in volumes(pod) if v.get("name") == name and "emptyDir" in v]
    if source.image is not None:
        kind, key, value = "image", "reference", source.image.reference
    elif source.persistent_volume_claim is not None:
        kind, key = "persistentVolumeClaim", "claimName"
        value = source.persistent_volume_claim.claim_name
    elif source.host_path is not None:
        kind, key, value = "hostPath", "path", source.host_path.path
    else:
        return []
    return [volume for volume in volumes(pod) if kind in volume and volume[kind][key] == value]


def display_name(pod: Pod) -> str:
    """``namespace/name`` or ``namespace/generateName…`` for messages."""
    metadata = pod["metadata"]
    name = metadata.get("name") or f"{metadata.get('generateName', '')}…"
    return f"{metadata.get('namespace', '')}/{name}"
