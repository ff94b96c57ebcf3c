"""Every way to change one field of an injected container: other, absent, or more."""

import copy
from collections.abc import Iterator
from typing import Any

Container = dict[str, Any]
Path = tuple[str | int, ...]

ADDED: dict[str, Any] = {
    "command": ["/bin/sh"],
    "envFrom": [{"configMapRef": {"name": "other"}}],
    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
    "livenessProbe": {"exec": {"command": ["true"]}},
    "ports": [{"containerPort": 9999}],
    "readinessProbe": {"exec": {"command": ["true"]}},
    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    "restartPolicy": "Always",
    "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}],
    "startupProbe": {"exec": {"command": ["true"]}},
    "stdin": True,
    "stdinOnce": True,
    "tty": True,
    "volumeDevices": [{"name": "model", "devicePath": "/dev/xvda"}],
    "workingDir": "/tmp",
}
"""A value for every field of a container that some injected container does not have."""

ADDED_INSIDE: dict[Path, Any] = {
    ("env", 0, "value"): "forged",
    ("resources", "claims"): [{"name": "gpu"}],
    ("securityContext", "appArmorProfile"): {"type": "Unconfined"},
    ("securityContext", "procMount"): "Unmasked",
    ("securityContext", "seLinuxOptions"): {"type": "spc_t"},
    ("securityContext", "windowsOptions"): {"runAsUserName": "admin"},
    ("securityContext", "capabilities", "add"): ["NET_ADMIN"],
    ("volumeMounts", 0, "subPath"): "elsewhere",
    ("volumeMounts", 0, "mountPropagation"): "HostToContainer",
    ("volumeMounts", 2, "readOnly"): True,
    ("volumeMounts", 4): {"name": "model", "mountPath": "/etc"},
    ("env", 5): {"name": "PYTHONPATH", "value": "/tmp"},
    ("args", 5): "--proc-net=/tmp",
}


def mutations(container: Container) -> Iterator[tuple[str, Container]]:
    """``(title, container)`` with exactly one thing changed."""
    for path, value in _walk(container):
        title = ".".join(map(str, path))
        if not isinstance(value, dict | list):
            yield f"{title} changed", _with(container, path, _other(value))
        yield f"{title} removed", _without(container, path)
    for name, value in ADDED.items():
        if name not in container:
            yield f"{name} added", container | {name: value}
    for path, value in ADDED_INSIDE.items():
        yield f"{'.'.join(map(str, path))} added", _with(container, path, value)


def _walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _walk(child, (*path, key))
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, (*path, index))


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value[0].isdigit():
        return f"1{value}"  # still a quantity
    return {"Always": "OnFailure", "IfNotPresent": "Never", "File": "FallbackToLogsOnError"}.get(
        value, f"{value}x"
    )


def _parent(container: Container, path: Path) -> tuple[Container, Any]:
    changed = copy.deepcopy(container)
    target: Any = changed
    for part in path[:-1]:
        target = target[part]
    return changed, target


def _with(container: Container, path: Path, value: Any) -> Container:
    changed, target = _parent(container, path)
    if isinstance(target, list) and path[-1] == len(target):
        target.append(value)
    else:
        target[path[-1]] = value
    return changed


def _without(container: Container, path: Path) -> Container:
    changed, target = _parent(container, path)
    del target[path[-1]]
    return changed
