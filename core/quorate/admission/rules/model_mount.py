"""The model's volume is there once, and every container mounts it whole and read-only."""

from collections.abc import Iterator
from typing import Any

from quorate import names
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_REQUIREMENT = "model.source"


def model_mount(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """The server mounts what was measured; nobody can change it, and nobody sees only a part."""
    found = subject.model_volumes
    if len(found) != 1:
        image = allowed.source.image
        where = image.reference if image else "the claim of spec.source"
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the pod must have exactly one volume with the model ({where}); it has {len(found)}",
            requirement=_REQUIREMENT,
            fix="add a volume that is the AttestedModel's spec.source and mount it read-only",
        )
        return
    volume = str(found[0]["name"])
    yield from _claim(found[0], allowed)
    mounted = False
    for path, container in subject.users:
        for mount in container.get("volumeMounts") or []:
            name = str(mount.get("name", ""))
            if name.startswith(names.VOLUME_PREFIX):
                yield Denial(Reason.RESERVED_NAME, f"{path} must not mount {name}")
            if name == volume:
                mounted = mounted or path == "spec.containers[0]"
                yield from _mount(path, mount)
    if not mounted:
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the model server does not mount {volume}, so it serves something else",
            requirement=_REQUIREMENT,
            fix=f"mount {volume} in spec.containers[0] with readOnly: true",
        )


def _mount(path: str, mount: dict[str, Any]) -> Iterator[Denial]:
    if mount.get("readOnly") is not True:
        yield _writable(f"{path} must mount {mount['name']} with readOnly: true")
    if mount.get("subPath") or mount.get("subPathExpr"):
        yield _writable(f"{path} must mount {mount['name']} whole, without subPath")


def _claim(volume: dict[str, Any], allowed: Allowed) -> Iterator[Denial]:
    claim = volume.get("persistentVolumeClaim")
    if claim is None:
        return
    if claim.get("readOnly") is not True:
        yield _writable(f"volume {volume['name']} must set readOnly: true")
    if allowed.claim_modes != ("ReadOnlyMany",):
        modes = ", ".join(allowed.claim_modes) if allowed.claim_modes else "unknown"
        yield _writable(
            f"the claim's access modes must be ReadOnlyMany alone (they are {modes}): "
            "another pod could change the model after it was measured",
            "bind the model with a ReadOnlyMany claim, or ship it as an image volume",
        )


def _writable(message: str, fix: str = "") -> Denial:
    return Denial(Reason.MODEL_MOUNT_WRITABLE, message, requirement=_REQUIREMENT, fix=fix)
