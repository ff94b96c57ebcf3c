"""No way to the host, to other pods' processes, or into the sidecar's namespaces."""

from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")


def host_access(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Namespaces of its own, no privilege, no kernel setting, no port or device of the host."""
    spec = subject.spec
    for field in _SHARED:
        if spec.get(field):
            yield _denied(f"spec.{field} must not be true")
    context = spec.get("securityContext") or {}
    if context.get("sysctls"):
        # net.ipv4.conf.*.route_localnet, for one, opens the model's loopback port to the network.
        yield _denied("spec.securityContext.sysctls must not be set")
    if _is_host_process(context):
        yield _denied("spec.securityContext.windowsOptions.hostProcess must not be true")
    for path, container in subject.users:
        yield from container_access(path, container)


def container_access(path: str, container: dict[str, Any]) -> Iterator[Denial]:
    """No privilege, and no port or device of the host, for one container."""
    context = container.get("securityContext")
    if context:
        added = (context.get("capabilities") or {}).get("add")
        if added:
            yield _denied(f"{path} must not add capabilities ({added[0]})")
        if context.get("privileged"):
            yield _denied(f"{path} must not be privileged")
        if context.get("procMount") not in (None, "Default"):
            yield _denied(f"{path} must not set procMount")
        if _is_host_process(context):
            yield _denied(f"{path} must not be a host process")
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield _denied(f"{path} must not use a hostPort")
    if container.get("volumeDevices"):
        yield _denied(f"{path} must not use volumeDevices")


def _is_host_process(context: dict[str, Any]) -> bool:
    return bool((context.get("windowsOptions") or {}).get("hostProcess"))


def _denied(message: str) -> Denial:
    return Denial(Reason.HOST_ACCESS, message, fix="remove the field")
