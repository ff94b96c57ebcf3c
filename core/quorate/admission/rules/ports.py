"""One port, behind the sidecar; probes and hooks go to it and to declared paths only."""

from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.containers import PROBES
from quorate.admission.rules.subject import Subject
from quorate.policy.runtime import RuntimeRules
from quorate.verdict import Denial, Reason


def ports_and_probes(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """The kubelet dials the pod's address, where only the sidecar answers."""
    for path, container in subject.users:
        named: dict[Any, Any] = {}
        for port in container.get("ports") or ():
            named[port.get("name")] = port.get("containerPort")
            if port.get("containerPort") != allowed.rules.port:
                yield _port(path, port.get("containerPort"), allowed.rules.port)
        for kind, action in _network_actions(container):
            yield from _action(f"{path}.{kind}", kind, action, named, allowed.rules)


def _port(path: str, port: Any, declared: int) -> Denial:
    return Denial(
        Reason.PORT_NOT_DECLARED,
        f"{path} offers port {port}; a model is reached through its sidecar on {declared} alone",
        requirement="runtime.upstream.port",
        fix=f"let the server listen on 127.0.0.1:{declared} and remove the other port",
    )


def _action(
    path: str, kind: str, action: dict[str, Any], named: dict[Any, Any], rules: RuntimeRules
) -> Iterator[Denial]:
    target = action.get("port")
    if named.get(target, target) != rules.port or action.get("host"):
        yield Denial(
            Reason.PROBE_NOT_DECLARED,
            f"{path} must use port {rules.port} of the pod, not {action.get('host', '')}:{target}",
            requirement="runtime.upstream.port",
        )
    if kind.endswith("grpc"):
        yield Denial(
            Reason.PROBE_NOT_DECLARED,
            f"{path}: the sidecar speaks HTTP only",
            fix="use httpGet on a path of runtime.upstream.probePaths",
        )
    if kind.endswith("httpGet") and (action.get("path") or "/") not in rules.probe_paths:
        yield Denial(
            Reason.PROBE_NOT_DECLARED,
            f"{path} uses {action.get('path') or '/'}, which no policy declares",
            requirement="runtime.upstream.probePaths",
            fix="declare the path, or use a declared one",
        )


def _network_actions(container: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The HTTP, TCP and gRPC actions of a container's probes and hooks."""
    holders: list[tuple[str, Any]] = [(probe, container.get(probe)) for probe in PROBES]
    hooks = container.get("lifecycle")
    if hooks:
        holders += [(f"lifecycle.{hook}", hooks.get(hook)) for hook in ("postStart", "preStop")]
    for kind, holder in holders:
        for action in ("httpGet", "tcpSocket", "grpc") if holder else ():
            if action in holder:
                yield f"{kind}.{action}", holder[action]
