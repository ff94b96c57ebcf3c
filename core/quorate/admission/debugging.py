"""Ephemeral containers in a model pod: only while an exception says so, and the pod ends with it.

They reach the model past the sidecar, and nothing can take them out of a pod again. So a pod that
has one is an escape as soon as no exception covers it. What no exception lifts is here too: such
a container never comes near the injected ones, which hold the pod's key, nor near the node.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from quorate import names
from quorate.admission import pods, rules
from quorate.admission.injection import Pod
from quorate.admission.lifting import lifting
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement, is_exempt, selected
from quorate.api.v1alpha1.safety_exception import EPHEMERAL_CONTAINERS
from quorate.verdict import ALLOW, Denial, Reason, Verdict, deny

FIELD: Final = "ephemeralContainers"
REQUIREMENTS: Final = frozenset({EPHEMERAL_CONTAINERS})
_ASK = (
    "debug a copy of the pod in a namespace that does not enforce, or ask for a SafetyException "
    "with requirement EphemeralContainers (docs/howto/ask-for-an-exception.md)"
)


def added(old: Pod, new: Pod, snapshot: Snapshot, now: datetime) -> Judgement:
    """May these ephemeral containers be added to the pod?"""
    if (old["spec"].get(FIELD) or []) == (new["spec"].get(FIELD) or []):
        return Judgement(ALLOW)
    selection = selected(new, snapshot)
    if is_exempt(new, selection):
        return Judgement(ALLOW, exempt=True)
    if not old["spec"].get("nodeName") or not _serves(old, snapshot):
        message = "ephemeral containers are added to a model pod that has a node, and to no other"
        verdict = deny(Reason.EPHEMERAL_CONTAINER, message, fix="wait until the pod runs")
        return Judgement(verdict, selection=selection)
    known = snapshot.models.get((pods.namespace(new), pods.model_name(new)))
    found = lifting(REQUIREMENTS, selection, known, snapshot, now)
    if not found.is_lifted:
        verdict = deny(
            Reason.EPHEMERAL_CONTAINER,
            "ephemeral containers must not be added to a model pod",
            policy=", ".join(str(policy.ref) for policy in found.refusing) or selection.names,
            owner=selection.owner,
            fix=_ASK,
        )
        return Judgement(verdict, selection=selection)
    denials = tuple(_never(new, snapshot))
    if denials:
        return Judgement(Verdict(denials), selection=selection, known=known)
    warning = (
        "SafetyException: this container is one; there is an incident. The pod gets no more "
        "receipts unless the container's image is a server, and is deleted when it ends"
    )
    return Judgement(ALLOW, (warning,), False, selection, known)


def without_excepted(pod: Pod, snapshot: Snapshot, now: datetime) -> Pod:
    """The pod without its ephemeral containers if exceptions cover them now; else as it is."""
    if not pod["spec"].get(FIELD) or not _serves(pod, snapshot):
        return pod
    known = snapshot.models.get((pods.namespace(pod), pods.model_name(pod)))
    found = lifting(REQUIREMENTS, selected(pod, snapshot), known, snapshot, now)
    if not found.is_lifted or any(_never(pod, snapshot)):
        return pod
    return _without(pod)


def names_in(pod: Pod) -> set[str]:
    """Names of the pod's ephemeral containers."""
    return {container["name"] for container in pod["spec"].get(FIELD) or ()}


def _serves(pod: Pod, snapshot: Snapshot) -> bool:
    """Whether a sidecar watches what its containers do: nobody watches those of an exempt pod."""
    return pods.carries_injection(pod) and not is_exempt(_without(pod), selected(pod, snapshot))


def _without(pod: Pod) -> Pod:
    return pod | {"spec": {key: value for key, value in pod["spec"].items() if key != FIELD}}


def _never(pod: Pod, snapshot: Snapshot) -> Iterator[Denial]:
    """What no exception lifts."""
    known = snapshot.models.get((pods.namespace(pod), pods.model_name(pod)))
    if known is None:
        return
    yield from rules.check_debugging(pod, known.source)
    for index, container in enumerate(pod["spec"][FIELD]):
        path = f"spec.{FIELD}[{index}]"
        if container.get("targetContainerName") in pods.INJECTED:
            message = f"{path} must not share processes with an injected container"
            fix = "target the server, or nothing"
            yield Denial(Reason.EPHEMERAL_CONTAINER, message, fix=fix)
        if container["name"].startswith(names.VOLUME_PREFIX):
            message = f"{path}: container names must not begin with {names.VOLUME_PREFIX}"
            yield Denial(Reason.RESERVED_NAME, message, fix="choose another name")
