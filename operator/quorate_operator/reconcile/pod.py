"""What to do about a gated pod: release it, or say why it waits. Pure."""

from dataclasses import dataclass
from datetime import datetime

from quorate import names
from quorate.admission import pods, validate
from quorate.admission.released import changeable
from quorate.admission.snapshot import Snapshot
from quorate.verdict import Denial, Verdict
from quorate_operator.kinds import POD, Key
from quorate_operator.known_pods import KnownPod
from quorate_operator.reconcile.actions import Action, EmitEvent, ReleaseGate, Target
from quorate_operator.reconcile.texts import clipped

HELD = "Release"
"""The action an Event about a held pod speaks of."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod, and whether its namespace enforces."""

    key: Key
    pod: KnownPod
    enforced: bool


def plan_pod(seen: SeenPod, snapshot: Snapshot, now: datetime) -> tuple[Action, ...]:
    """Release the gate if the pod may run by the same function that admission asks."""
    pod = seen.pod
    if not seen.enforced or pod.document is None or pod.terminating or pod.finished:
        return ()
    target = Target(seen.key, pod.uid, POD.api_version)
    judgement = validate.may_run(pod.document, snapshot, now)
    if judgement.verdict.allowed:
        index = pods.gates(pod.document).index(names.SCHEDULING_GATE)
        return (
            ReleaseGate(
                target,
                pod.resource_version,
                index,
                pod.created_at,
                changeable(pod.document),
                pod.annotated,
            ),
        )
    denial = judgement.verdict.denials[0]
    note = clipped(_note(judgement.verdict))
    return (EmitEvent(target, "Warning", denial.reason, note, HELD),)


def _note(verdict: Verdict) -> str:
    first: Denial = verdict.denials[0]
    others = len(verdict.denials) - 1
    return first.text() + (f" (and {others} more)" if others else "")
