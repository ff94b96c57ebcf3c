"""Remedies for what is wrong with a pod's shape."""

import re
from typing import Any

from quorate import names
from quorate.admission import pods
from quorate.policy.intersect import allowed_servers
from quorate.verdict import Denial
from quorate_cli.explain.explanation import Remedy
from quorate_cli.explain.remedies.context import Context, edit_policy
from quorate_cli.explain.remedies.of_evidence import SIGN, gates_run, model_manifest

CHOICES_MAX = 3
"""Commands to choose from; the text lists all."""
_PATH = re.compile(r"spec\.(initContainers|containers)\[(\d+)\]")
_SERVER_IMAGE = re.compile(r"spec\.(?:initContainers|containers)\[\d+\]: image ")


def edited(denial: Denial, context: Context) -> Remedy:
    """Change the pod by hand as the denial's fix says."""
    return Remedy(text=denial.fix or "change the pod as said", commands=_edit(context))


def recreated(denial: Denial, context: Context) -> Remedy:
    """The pod is right as written, and must pass through the webhook again."""
    commands = context.target.recreate() if context.target else ()
    return Remedy(
        text=denial.fix or "create the pod anew",
        commands=("kubectl quorate doctor", *commands),
    )


def without_receipt(denial: Denial, context: Context) -> Remedy:
    """A running pod that a member gives no receipt: its sidecar's log says why each time."""
    target = context.target.ref if context.target else f"POD {context.where}"
    return Remedy(
        text=denial.fix or "see what the sidecar is answered, and which images and node it is on",
        commands=(
            f"kubectl logs {target} -c {names.SIDECAR_CONTAINER}",
            f"kubectl describe {target}",
        ),
    )


def connected(denial: Denial, context: Context) -> Remedy:
    """Look from outside: logs and events need no connection."""
    target = context.target.ref if context.target else f"POD {context.where}"
    return Remedy(
        text=denial.fix or "use the logs and the events; nobody connects to a model pod",
        commands=(f"kubectl logs {target}", f"kubectl describe {target}"),
    )


def labelled(denial: Denial, context: Context) -> Remedy:
    """Say which model the pod serves; which one, if only one can be meant."""
    meant = _meant_model(context)
    if not meant:
        text = f"label the pod with {names.MODEL_LABEL}=NAME; NAME is one of the namespace's models"
        return Remedy(
            text=text, commands=(f"kubectl get attestedmodels {context.where}", *_edit(context))
        )
    labels = {"labels": {names.MODEL_LABEL: meant}}
    commands = context.target.patch(metadata=labels) if context.target else ()
    return Remedy(text=f"label the pod with {names.MODEL_LABEL}={meant}", commands=commands)


def _meant_model(context: Context) -> str:
    """The one model of the namespace that the pod mounts, or the only one there is."""
    volumes = pods.volumes(context.pod) if context.pod else []
    mounted = [name for name, source in context.other_models if _mounts(volumes, source)]
    chosen = mounted or [name for name, _ in context.other_models]
    return chosen[0] if len(chosen) == 1 else ""


def _mounts(volumes: list[dict[str, Any]], source: dict[str, Any]) -> bool:
    image = (source.get("image") or {}).get("reference")
    claim = (source.get("persistentVolumeClaim") or {}).get("claimName")
    return any(
        (image and (v.get("image") or {}).get("reference") == image)
        or (claim and (v.get("persistentVolumeClaim") or {}).get("claimName") == claim)
        for v in volumes
    )


def model_made(denial: Denial, context: Context) -> Remedy:
    """Make the AttestedModel, or name one that exists."""
    text = "sign the model, have its gates run, and apply the AttestedModel"
    if context.other_models:
        known = ", ".join(name for name, _ in context.other_models[:10])
        text += f"; or let the label name one that exists: {known}"
    return Remedy(text=text, commands=(SIGN, *gates_run(context), model_manifest(context)))


def server(denial: Denial, context: Context) -> Remedy:
    """Use an image that the policies name; anything else about the server is for the editor."""
    where = _PATH.search(denial.message)
    allowed = sorted(allowed_servers(context.policies))
    if not _SERVER_IMAGE.match(denial.message) or where is None:
        return edited(denial, context)
    if not allowed:
        edit = tuple(edit_policy(p.ref) for p in context.policies if p.is_cluster)
        return Remedy(text="no image is allowed: a policy must name it in model.servers",
                      commands=edit)  # fmt: skip
    container = _container(context, where)
    repository = str(container.get("image") or "IMAGE").partition("@")[0]
    named = {s.digest: s.name for p in context.policies for s in p.spec.model.servers or ()}
    listed = ", ".join(f"{named.get(digest, '')} {digest}" for digest in allowed)
    text = f"use an image of model.servers, by digest: {listed}"
    name, commands = container.get("name", "server"), dict[str, None]()
    if context.target is not None:
        for digest in allowed[:CHOICES_MAX]:
            spec = {where[1]: [{"name": name, "image": f"{repository}@{digest}"}]}
            commands |= dict.fromkeys(context.target.patch(spec=spec))
    return Remedy(text=text, commands=tuple(commands))


def mounted(denial: Denial, context: Context) -> Remedy:
    """Mount the model's source read-only into the server."""
    model, target = context.model, context.target
    if model is None or target is None or context.pod is None:
        return edited(denial, context)
    source = model.spec.source
    found = pods.model_volumes(context.pod, source)
    name = str(found[0]["name"]) if len(found) == 1 else "model"
    volume: dict[str, Any] = {"name": name}
    if source.image is not None:
        volume["image"] = {"reference": source.image.reference}
    elif source.persistent_volume_claim is not None:
        claim = source.persistent_volume_claim.claim_name
        volume["persistentVolumeClaim"] = {"claimName": claim, "readOnly": True}
    elif source.directory is not None:
        volume = {"name": source.directory.volume_name, "emptyDir": {}}
        name = source.directory.volume_name
    elif source.host_path is not None:
        volume["hostPath"] = {"path": source.host_path.path, "type": "Directory"}
    container = (context.pod["spec"].get("containers") or [{}])[0]
    mounts = container.get("volumeMounts") or ()
    path = next((m["mountPath"] for m in mounts if m.get("name") == name), "/models")
    mount = {"name": name, "mountPath": path, "readOnly": True}
    spec = {
        "volumes": [volume],
        "containers": [{"name": container.get("name"), "volumeMounts": [mount]}],
    }
    return Remedy(
        text=denial.fix or f"mount the volume {name} whole and with readOnly: true",
        commands=target.patch(spec=spec),
    )


def _container(context: Context, where: re.Match[str]) -> dict[str, Any]:
    holders = (context.pod or {}).get("spec", {}).get(where[1]) or []
    index = int(where[2])
    found: dict[str, Any] = holders[index] if index < len(holders) else {}
    return found


def _edit(context: Context) -> tuple[str, ...]:
    return context.target.edit() if context.target else ()
