"""Mutate: the JSON patch that injects what a model pod needs. Idempotent, adds only.

It decides nothing: a pod it cannot complete goes on as it is, and validate says what is missing.
"""

from typing import Any

from quorate import names
from quorate.admission import injection
from quorate.admission.injection import InjectionConfig, Pod

Operation = dict[str, Any]


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
        *_add_to_list(pod, "volumes", injection.volumes()),
        *_add_to_list(
            pod,
            "initContainers",
            [
                injection.measure_container(config, model_volume),
                injection.sidecar_container(config, model_volume),
            ],
        ),
        *_drain_hooks(pod, config),
    ]


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
    if config.drain_seconds == 0:
        return []
    operations: list[Operation] = []
    for index, container in enumerate(pod["spec"].get("containers") or []):
        lifecycle = container.get("lifecycle")
        base = f"/spec/containers/{index}/lifecycle"
        if not lifecycle:
            value = {"preStop": injection.drain_hook(config)}
            operations.append({"op": "add", "path": base, "value": value})
        elif "preStop" not in lifecycle:
            value = injection.drain_hook(config)
            operations.append({"op": "add", "path": f"{base}/preStop", "value": value})
    return operations
