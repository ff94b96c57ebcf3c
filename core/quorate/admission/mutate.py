"""Mutate: the JSON patch that injects what a model pod needs. Idempotent; it adds, and writes
digests to tags that a policy pins, from the policies in memory.

It decides nothing: validate, which sees the completed pod, says what is wrong with it.
"""

from collections.abc import Mapping
from typing import Any

from quorate import names
from quorate.admission import injection, pods, validate
from quorate.admission.injection import InjectionConfig, Pod
from quorate.admission.snapshot import Snapshot

Operation = dict[str, Any]


def complete(pod: Pod, snapshot: Snapshot) -> list[Operation]:
    """The patch for a pod of an enforced namespace; empty for one that is exempt.

    A pod whose model is not known is completed too, around a stand-in for the model's volume:
    validate refuses it in any case, and left as it is the API server's floor would refuse it
    first, without the reason a person can act on.
    """
    selection = validate.selected(pod, snapshot)
    if validate.is_exempt(pod, selection):
        return []
    known = snapshot.models.get((pods.namespace(pod), pods.model_name(pod)))
    found = pods.model_volumes(pod, known.source) if known else []
    volume = found[0]["name"] if len(found) == 1 else _stand_in(pod)
    config = injection.asking(snapshot.injection, pods.canaries(pod))
    return [*pin(pod, selection.pins), *patch(pod, volume, config)]


def pin(pod: Pod, pins: Mapping[str, Mapping[str, str]]) -> list[Operation]:
    """Operations that write its digest to each server's image whose tag is pinned to one."""
    operations: list[Operation] = []
    for index, container in enumerate(pod["spec"].get("containers") or []):
        image = str(container.get("image", ""))
        digests = list(pins.get(image, ()))
        if len(digests) == 1:
            path = f"/spec/containers/{index}/image"
            operations.append({"op": "replace", "path": path, "value": f"{image}@{digests[0]}"})
    return operations


def _stand_in(pod: Pod) -> str:
    """The volume most like a model's; the injected work volume if the pod has none."""
    volumes = pod["spec"].get("volumes") or []
    likely = [v for v in volumes if "image" in v or "persistentVolumeClaim" in v]
    return str(likely[0]["name"]) if likely else names.WORK_VOLUME


def patch(pod: Pod, model_volume: str, config: InjectionConfig) -> list[Operation]:
    """Operations that add gate, volumes, containers and drain hook, as far as they are absent.

    What a tenant put under our names is left alone, for validate to refuse.
    """
    if pod["spec"].get("nodeName"):
        # With a gate added, the API server would refuse the preset node with a reason of its own
        # before validate can give ours.
        return []
    return [
        *_add_to_list(pod, "schedulingGates", [{"name": names.SCHEDULING_GATE}]),
        *_add_to_list(pod, "volumes", list(injection.volumes(config))),
        *_add_to_list(pod, "initContainers", list(injection.containers(config, model_volume))),
        *_drain_hooks(pod, config),
    ]


def apply(pod: Pod, operations: list[Operation]) -> Pod:
    """The pod with the operations of :func:`complete` applied; the one given stays as it was.

    It knows the paths that :func:`complete` writes, not JSON Patch.
    """
    spec = {key: _copy(value) for key, value in pod["spec"].items()}
    for operation in operations:
        *parents, last = operation["path"].split("/")[2:]
        target: Any = spec
        for part in parents:
            target = target[int(part) if isinstance(target, list) else part]
        if last == "-":
            target.append(operation["value"])
        else:
            target[last] = _copy(operation["value"])
    return pod | {"spec": spec}


def _copy(value: Any) -> Any:
    """Lists and objects anew, as deep as a patch reaches: list, container, lifecycle."""
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: dict(item) if isinstance(item, dict) else item for key, item in value.items()}
    return value


def _add_to_list(pod: Pod, field: str, items: list[dict[str, Any]]) -> list[Operation]:
    present = pod["spec"].get(field) or []
    known = {item.get("name") for item in present}
    missing = [item for item in items if item["name"] not in known]
    if not missing:
        return []
    if not present:
        return [{"op": "add", "path": f"/spec/{field}", "value": missing}]
    return [{"op": "add", "path": f"/spec/{field}/-", "value": item} for item in missing]


def _drain_hooks(pod: Pod, config: InjectionConfig) -> list[Operation]:
    # The API server refuses a sleep that is longer than the grace period.
    seconds = min(config.drain_seconds, pod["spec"].get("terminationGracePeriodSeconds", 30))
    if seconds <= 0:
        return []
    operations: list[Operation] = []
    for index, container in enumerate(pod["spec"].get("containers") or []):
        lifecycle = container.get("lifecycle")
        base = f"/spec/containers/{index}/lifecycle"
        hook = injection.drain_hook(seconds)
        if not lifecycle:
            operations.append({"op": "add", "path": base, "value": {"preStop": hook}})
        elif "preStop" not in lifecycle:
            operations.append({"op": "add", "path": f"{base}/preStop", "value": hook})
    return operations
