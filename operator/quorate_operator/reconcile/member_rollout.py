"""Which member's Pod is replaced by one of the new revision now, if any, and why none is. Pure.

StatefulSets of members are OnDelete: nothing replaces their Pods but whoever deletes them. That is
done for one at a time, and only while all others answer, so that an upgrade takes no more from the
committee than one member that is down.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quorate.consensus.thresholds import Thresholds
from quorate_operator.reconcile.actions import Target


@dataclass(frozen=True, slots=True)
class MemberPod:
    """One member's StatefulSet and its Pod."""

    member: str
    workload: Target
    wanted: str
    """Revision of the Pods it makes; empty while its controller has not seen its newest form."""
    pod: Target | None = None
    """None while there is none, or the one that was there ends."""
    revision: str = ""
    """What the Pod is of."""

    @property
    def outdated(self) -> bool:
        """Whether its Pod would be made otherwise today."""
        return self.pod is not None and bool(self.wanted) and self.revision != self.wanted


@dataclass(frozen=True, slots=True)
class Seen:
    """All members' Pods, and what is known of the members themselves."""

    pods: Sequence[MemberPod]
    thresholds: Thresholds
    standing: frozenset[str]
    """Members whose word counts, by the epoch, whether or not they have a Pod here."""
    answering: frozenset[str]
    """Members that answered lately, and hold everything: in the Pod they have now."""
    stuck: frozenset[str] = frozenset()
    """Members whose Pod serves nobody, and has not for a while."""
    tried: Mapping[str, str] = field(default_factory=dict)
    """For which revision a member's Pod was deleted last."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A Pod to delete, or one that waits and why; neither if all Pods are as they should be."""

    delete: MemberPod | None = None
    waits: MemberPod | None = None
    why: str = ""


def plan_rollout(seen: Seen) -> Plan:
    """Those that do not answer go first: their Pods cost nothing."""
    waiting: list[tuple[MemberPod, str]] = []
    for pod in sorted(seen.pods, key=lambda pod: (pod.member in seen.answering, pod.member)):
        if not pod.outdated:
            continue
        why = "; ".join(_obstacles(pod, seen))
        if not why:
            return Plan(delete=pod)
        waiting.append((pod, why))
    return Plan(waits=waiting[0][0], why=waiting[0][1]) if waiting else Plan()


def _obstacles(pod: MemberPod, seen: Seen) -> Iterator[str]:
    if seen.tried.get(pod.member) == pod.wanted:
        yield (
            f"a Pod was deleted for revision {pod.wanted} already, and what came instead is of "
            f"{pod.revision} again: see the StatefulSet"
        )
    if pod.member in seen.stuck:
        # Nobody can ask it anything: whoever else is away, it can only come back.
        return
    others = seen.standing - {pod.member}
    away = sorted(others - seen.answering)
    if away:
        yield f"{', '.join(away)} must answer first"
    spare = seen.thresholds.n > seen.thresholds.strict
    if spare and pod.member in seen.standing and len(others) < seen.thresholds.strict:
        yield (
            f"without it the word of only {len(others)} members counts, and "
            f"{seen.thresholds.strict} must sign"
        )
