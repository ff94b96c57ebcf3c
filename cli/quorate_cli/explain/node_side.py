"""What happened to a pod after admission: the gate, the measurement, the sidecar, Events."""

from typing import Final

from quorate import names
from quorate.admission import pods
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.explanation import ContainerState, NodeSide, Role
from quorate_cli.layout import clipped

EVENTS_SHOWN = 5
MESSAGE_CHARS = 2048
"""The kubelet keeps up to 4096 bytes of a termination message."""
_FAULTS: Final = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Reasons for which a container waits and will not start by itself."""
_STATUSES: Final[tuple[tuple[str, Role], ...]] = (
    ("initContainerStatuses", "init"),
    ("containerStatuses", "server"),
)
_ROLES: Final[dict[str, Role]] = {
    names.MEASURE_CONTAINER: "measure",
    names.SIDECAR_CONTAINER: "sidecar",
}


def node_side(pod: Document, events: list[Document]) -> NodeSide:
    """Facts from the pod's status; the pod exists."""
    status = pod.get("status") or {}
    return NodeSide(
        gate="held" if pods.is_gated(pod) else "released",
        message=_message(pod, status),
        containers=tuple(_containers(pod, status)),
        events=tuple(_recent(events)),
    )


def _message(pod: Document, status: Document) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return f"being deleted since {pod['metadata']['deletionTimestamp']}"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") != "True":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return str(status.get("message") or "")


def _containers(pod: Document, status: Document) -> list[ContainerState]:
    found = [
        _container(entry, _role(entry.get("name", ""), default))
        for field, default in _STATUSES
        for entry in status.get(field) or ()
    ]
    seen = {state.name for state in found}
    for container in pods.init_containers(pod) + (pod["spec"].get("containers") or []):
        name = container["name"]
        if name not in seen and not pods.is_gated(pod):
            role = _role(name, "server")
            found.append(
                ContainerState(name=name, role=role, ready=False, state="not started", restarts=0)
            )
    return found


def _role(name: str, default: Role) -> Role:
    return _ROLES.get(name, default)


def _container(entry: Document, role: Role) -> ContainerState:
    state = entry.get("state") or {}
    last = (entry.get("lastState") or {}).get("terminated") or {}
    ended = state.get("terminated") or {}
    message = ended.get("message") or last.get("message") or _waiting(state).get("message") or ""
    return ContainerState(
        name=str(entry.get("name", "")),
        role=role,
        ready=entry.get("ready") is True,
        state=_state(state, last),
        restarts=int(entry.get("restartCount") or 0),
        at_fault=_is_at_fault(entry, state, ended or last, role),
        message=str(message)[:MESSAGE_CHARS],
    )


def _is_at_fault(entry: Document, state: Document, exited: Document, role: Role) -> bool:
    """It is not merely waiting for its turn, or busy starting."""
    if "running" in state:
        # A sidecar that passed its startup probe has measured; a server may take long to load.
        settled = entry.get("started") if role == "sidecar" else entry.get("restartCount")
        return role in ("sidecar", "server") and bool(settled)
    return bool(exited.get("exitCode")) or _waiting(state).get("reason") in _FAULTS


def _waiting(state: Document) -> Document:
    waiting: Document = state.get("waiting") or {}
    return waiting


def _state(state: Document, last: Document) -> str:
    if "running" in state:
        return f"running since {(state['running'] or {}).get('startedAt', 'unknown')}"
    if ended := state.get("terminated"):
        return f"ended with {ended.get('exitCode')} ({ended.get('reason', '')})"
    text = f"waiting ({_waiting(state).get('reason', 'unknown')})"
    return f"{text}, ended with {last.get('exitCode')} before" if last else text


def _recent(events: list[Document]) -> list[str]:
    """The last warnings, oldest first, each in one line."""
    ordered = sorted((e for e in events if e.get("type") == "Warning"), key=event_time)
    return [
        f"{event_time(e)} {e.get('reason', '')}: {clipped(str(e.get('message') or ''), 1000)}"
        for e in ordered[-EVENTS_SHOWN:]
    ]


def event_time(event: Document) -> str:
    """When an Event was last seen, RFC 3339; empty if it does not say."""
    series = (event.get("series") or {}).get("lastObservedTime")
    stamps = (series, event.get("lastTimestamp"), event.get("eventTime"))
    known = [str(stamp) for stamp in stamps if stamp]
    created = (event.get("metadata") or {}).get("creationTimestamp")
    return max(known, default=str(created or ""))
