"""What to do about pods that escaped admission. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from quorate import names
from quorate.admission import pods
from quorate.admission.escape import Escape
from quorate.alerts import Rule
from quorate.api.v1alpha1.meta import Owners
from quorate_operator.kinds import POD, Key
from quorate_operator.known_pods import controller
from quorate_operator.reconcile.actions import CordonNode, DeletePod, EmitEvent, RaiseAlert, Target
from quorate_operator.reconcile.texts import clipped

MANY = 20
"""Escapes at one look beyond which somebody is told of all of them at once."""
GRACE_SECONDS = 30
"""How long a pod that is deleted may take to end, whatever it says itself."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundEscape:
    """A pod, and why it is an escape."""

    pod: Document
    escape: Escape

    @property
    def uid(self) -> str:
        """The pod's UID."""
        return str(self.pod["metadata"].get("uid", ""))

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return pods.namespace(self.pod)


@dataclass(frozen=True, slots=True)
class PlannedEscape:
    """What one escape leads to: always an alert; then a deletion, or an Event about the pod."""

    alert: RaiseAlert
    delete: DeletePod | None
    event: EmitEvent | None
    cordon: CordonNode | None


def plan_escape(found: FoundEscape, owners: Owners | None) -> PlannedEscape:
    """Delete what can be deleted; of everything else tell, and of static pods name the node."""
    pod, escape = found.pod, found.escape
    metadata = pod["metadata"]
    target = Target(Key(POD.name, found.namespace, metadata["name"]), found.uid, POD.api_version)
    summary = clipped(
        f"{target.key} runs in a namespace that enforces, since {_created(metadata)}: "
        f"{escape.why}. It escaped admission, or ran before the namespace enforced"
    )
    alert = RaiseAlert(escape.rule, target, found.namespace, summary, owners)
    if escape.deletable:
        owner = controller(metadata) or found.uid
        delete = DeletePod(target, owner, alert, may_stay=False, grace_seconds=GRACE_SECONDS)
        return PlannedEscape(alert, delete, None, None)
    event = EmitEvent(target, "Warning", escape.rule, summary, "Find")
    node = str(pod["spec"].get("nodeName", ""))
    static = escape.rule == Rule.STATIC_POD_FOUND and node
    return PlannedEscape(alert, None, event, CordonNode(node, alert) if static else None)


def many(namespaces: Mapping[str, int], place: str) -> RaiseAlert:
    """The alert for all of them together, by how many each namespace has."""
    subject = Target(Key("Deployment", place, names.OPERATOR_ACCOUNT), "", "apps/v1")
    worst = sorted(namespaces, key=lambda name: (-namespaces[name], name))[:5]
    summary = clipped(
        f"{sum(namespaces.values())} pods escaped admission, in {len(namespaces)} namespaces, "
        f"most of them in {', '.join(worst)}; they are deleted one after the other, slowly"
    )
    return RaiseAlert(Rule.MANY_PODS_ESCAPED, subject, place, summary)


def in_turn(found: Mapping[str, Sequence[FoundEscape]]) -> list[FoundEscape]:
    """One of each namespace, then the next of each: many of one do not hold up another's."""
    rounds = zip_longest(*found.values())
    return [one for turn in rounds for one in turn if one is not None]


def _created(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("creationTimestamp") or "an unknown time")
