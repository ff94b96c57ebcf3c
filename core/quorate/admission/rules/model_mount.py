"""The model's volume is there once, and every container mounts it whole and read-only.

But for one: an init container of an image that the policies let fill it, before it is measured.
"""

import posixpath
from collections.abc import Iterator
from typing import Any

from quorate import names
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import SERVER, Subject
from quorate.verdict import Denial, Reason

_REQUIREMENT = "model.source"


def model_mount(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """The server mounts what was measured; nobody can change it, and nobody sees only a part."""
    found = subject.model_volumes
    if len(found) != 1:
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the pod must have exactly one volume with the model ({_where(allowed)}); "
            f"it has {len(found)}",
            requirement=_REQUIREMENT,
            fix="add a volume that is the AttestedModel's spec.source and mount it read-only",
        )
        return
    volume = str(found[0]["name"])
    mounted = False
    for path, container in subject.users:
        mounts = container.get("volumeMounts") or []
        downloads = subject.downloads(path, container, allowed.downloaders)
        for mount in mounts:
            name = str(mount.get("name", ""))
            if name.startswith(names.VOLUME_PREFIX):
                yield Denial(Reason.RESERVED_NAME, f"{path} must not mount {name}")
            if name == volume:
                mounted = mounted or path == SERVER
                if not (downloads and _may_be_filled(allowed)):
                    yield from mount_read_only(path, mount)
        yield from _hidden(path, mounts, volume)
    if not mounted:
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the model server does not mount {volume}, so it serves something else",
            requirement=_REQUIREMENT,
            fix=f"mount {volume} in spec.containers[0] with readOnly: true",
        )


def _where(allowed: Allowed) -> str:
    source = allowed.source
    if source.image is not None:
        return source.image.reference
    if source.directory is not None:
        return f"an emptyDir named {source.directory.volume_name}"
    if source.host_path is not None:
        return f"hostPath {source.host_path.path}"
    return "the claim of spec.source"


def _may_be_filled(allowed: Allowed) -> bool:
    """Whether an init container may write it: never an image volume, never a node's directory."""
    return allowed.source.directory is not None or (
        allowed.source.persistent_volume_claim is not None
        and allowed.claim_modes != ("ReadOnlyMany",)
    )


def mount_read_only(path: str, mount: dict[str, Any]) -> Iterator[Denial]:
    """The model is mounted read-only and whole, at one place."""
    if mount.get("readOnly") is not True:
        yield writable(f"{path} must mount {mount['name']} with readOnly: true")
    if mount.get("subPath") or mount.get("subPathExpr"):
        yield writable(f"{path} must mount {mount['name']} whole, without subPath")
    if mount.get("mountPropagation") not in (None, "None"):
        yield writable(f"{path} must mount {mount['name']} without mountPropagation")


def _hidden(path: str, mounts: list[dict[str, Any]], volume: str) -> Iterator[Denial]:
    """What is mounted inside the model's directory hides what was measured there."""
    places = tuple(_directory(m) for m in mounts if m.get("name") == volume)
    for mount in mounts:
        if mount.get("name") != volume and _directory(mount).startswith(places):
            yield writable(
                f"{path} must not mount {mount.get('name')} inside the model's directory",
                "mount it elsewhere",
            )


def _directory(mount: dict[str, Any]) -> str:
    """Where it is mounted, with one slash at the end."""
    return f"/{posixpath.normpath(str(mount.get('mountPath', ''))).strip('/')}/".replace("//", "/")


def writable(message: str, fix: str = "") -> Denial:
    """The model could be changed, or hidden."""
    return Denial(Reason.MODEL_MOUNT_WRITABLE, message, requirement=_REQUIREMENT, fix=fix)
