"""Where the model's bytes are is a place the policies allow, of the kind it claims to be."""

from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.model_mount import writable
from quorate.admission.rules.subject import SERVER, Subject
from quorate.verdict import Denial, Reason

_DIRECTORY_TYPES = (None, "", "Directory")


def source(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """The kind of place is allowed, and nobody can write there but who is allowed to."""
    if len(subject.model_volumes) != 1:
        return
    volume = subject.model_volumes[0]
    kind = _kind(volume, allowed)
    if kind not in allowed.sources:
        yield from _not_allowed(kind, volume, allowed)
    if kind == "HostPath" and volume["hostPath"].get("type") not in _DIRECTORY_TYPES:
        yield writable(f"hostPath volume {volume['name']} must be of type Directory")
    if kind == "Directory":
        yield from _filled(subject, allowed, str(volume["name"]))
    yield from _shared(subject, allowed, str(volume["name"]))


def _kind(volume: dict[str, Any], allowed: Allowed) -> str:
    """What a policy's ``model.sources`` calls it. A claim is read-only if nobody can write it."""
    claim = volume.get("persistentVolumeClaim")
    if claim is not None:
        bound = claim.get("readOnly") is True and allowed.claim_modes == ("ReadOnlyMany",)
        return "ReadOnlyClaim" if bound else "ReadWriteClaim"
    if allowed.source.host_path is not None:
        return "HostPath"
    return "Directory" if allowed.source.directory is not None else "Image"


def _not_allowed(kind: str, volume: dict[str, Any], allowed: Allowed) -> Iterator[Denial]:
    if kind != "ReadWriteClaim":
        yield Denial(
            Reason.SOURCE_NOT_ALLOWED,
            f"the model is a {kind}, and the policies allow {_listed(allowed.sources)}",
            requirement="model.sources",
            fix="ship the model as an image volume, or let a ClusterSafetyPolicy name it in "
            "spec.model.sources",
        )
        return
    if volume["persistentVolumeClaim"].get("readOnly") is not True:
        yield writable(f"volume {volume['name']} must set readOnly: true")
    if allowed.claim_modes != ("ReadOnlyMany",):
        modes = ", ".join(allowed.claim_modes) if allowed.claim_modes else "unknown"
        yield writable(
            f"the claim's access modes must be ReadOnlyMany alone (they are {modes}): "
            "another pod could change the model after it was measured",
            "bind the model with a ReadOnlyMany claim, ship it as an image volume, or let a "
            "ClusterSafetyPolicy name ReadWriteClaim in spec.model.sources",
        )


def _listed(sources: frozenset[str]) -> str:
    return ", ".join(sorted(sources)) or "none"


def _filled(subject: Subject, allowed: Allowed, volume: str) -> Iterator[Denial]:
    """Somebody fills the directory, and it is an init container that is over when it is measured.

    Those that were injected stand last (quorate.admission.rules.injected), and a user's native
    sidecar is refused (quorate.admission.rules.containers): what writes ends before measuring.
    """
    fillers = (
        mount
        for path, container in subject.users
        if subject.downloads(path, container, allowed.downloaders)
        for mount in container.get("volumeMounts") or ()
        if mount.get("name") == volume and not mount.get("readOnly")
    )
    if next(fillers, None) is None:
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"no init container of an image of model.downloaders fills {volume}",
            requirement="model.downloaders",
            fix="fetch the model in an init container whose image the policies name as downloader",
        )


def _shared(subject: Subject, allowed: Allowed, model: str) -> Iterator[Denial]:
    """What a downloader writes beside the model is not measured: the server must not see it."""
    kinds = {str(volume.get("name")): volume for volume in subject.volumes}
    server = {
        str(mount.get("name"))
        for path, container in subject.users
        if path == SERVER
        for mount in container.get("volumeMounts") or ()
    }
    for path, container in subject.users:
        if not subject.downloads(path, container, allowed.downloaders):
            continue
        for mount in container.get("volumeMounts") or ():
            name = str(mount.get("name"))
            if name != model and name in server and "emptyDir" in kinds.get(name, {}):
                yield writable(
                    f"{path} must not share {name} with the server: what it writes there is not "
                    "measured",
                    "give the init container an emptyDir of its own",
                )
