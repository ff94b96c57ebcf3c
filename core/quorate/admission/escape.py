"""Pods of an enforced namespace that run although admission never let them.

The webhook and the floor were away, the pod was there before its namespace enforced, a hand changed
it, or the kubelet made it from a file. What such a pod should have been is asked of the code that
answers admission; here stands only which pods must not be judged again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from quorate import names
from quorate.admission import debugging, pods, rules, validate
from quorate.admission.injection import Pod
from quorate.admission.released import Release, claimed, release
from quorate.admission.snapshot import Snapshot
from quorate.alerts import Rule
from quorate.verdict import Reason, Verdict

MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"
ENDING_MAX: Final = timedelta(seconds=60)
"""A pod that is being deleted and ends no later than this is left to end."""
_FINISHED: Final = ("Succeeded", "Failed")
_UNREADABLE: Final = "; it is left: without {} it cannot be known which pods are exempt"


class Escape(msgspec.Struct, frozen=True):
    """What was found about one pod."""

    rule: Rule
    why: str
    deletable: bool
    """Whether deleting it would help, and is known to be right."""


class Sight(msgspec.Struct, frozen=True):
    """A pod that runs, and what is known of how it came to."""

    pod: Pod
    snapshot: Snapshot
    release: Release
    exempt: bool
    familiar: bool
    """Ran already when this process first looked: an older operator may have released it."""


def find(
    pod: Pod, snapshot: Snapshot, key: bytes, now: datetime, *, familiar: bool = False
) -> Escape | None:
    """Why a pod, as it stands in a namespace that enforces, is an escape; None if it is none.

    ``key`` is the operator's, for its marks. Raises nothing for a pod the API server gave.
    """
    return _judge(pod, snapshot, now, lambda one: release(one, key), familiar)


def foretell(pod: Pod, snapshot: Snapshot, now: datetime, *, familiar: bool) -> Escape | None:
    """What :func:`find` would say, for somebody without the key: a mark is taken at its word."""
    return _judge(pod, snapshot, now, claimed, familiar)


def _judge(
    pod: Pod,
    snapshot: Snapshot,
    now: datetime,
    released: Callable[[Pod], Release],
    familiar: bool,
) -> Escape | None:
    if not runs(pod, now):
        return None
    pod = debugging.without_excepted(pod, snapshot, now)
    exempt = validate.is_exempt(pod, validate.selected(pod, snapshot))
    sight = Sight(pod, snapshot, released(pod), exempt, familiar)
    found = (predicate(sight) for predicate in PREDICATES)
    escape = next((one for one in found if one is not None), None)
    missing = unreadable(snapshot)
    if escape is None or not escape.deletable or not missing:
        return escape
    return msgspec.structs.replace(
        escape, why=escape.why + _UNREADABLE.format(missing), deletable=False
    )


def runs(pod: Pod, now: datetime) -> bool:
    """Whether its containers run or will run without our saying anything more."""
    return not pods.is_gated(pod) and not is_over(pod, now)


def is_over(pod: Pod, now: datetime) -> bool:
    """Whether it has finished, or ends within ``ENDING_MAX``."""
    if (pod.get("status") or {}).get("phase") in _FINISHED:
        return True
    ends = pod["metadata"].get("deletionTimestamp")
    # A grace period of years is a way to go on running.
    return ends is not None and _time(ends) <= now + ENDING_MAX


def unreadable(snapshot: Snapshot) -> str:
    """What is missing to know the exempt images; empty if nothing is. No tenant can bring it on."""
    policies = snapshot.policies
    broken = [policy.ref for policy in policies.broken if policy.namespace is None]
    if broken:
        return f"{broken[0]}, which does not compile,"
    if not any(policy.is_cluster for policy in policies.compiled):
        return "any ClusterSafetyPolicy"
    return ""


def is_marked(pod: Pod) -> bool:
    """Whether it shows a mark, genuine or not."""
    return names.RELEASED_ANNOTATION in (pod["metadata"].get("annotations") or {})


def is_mirror(pod: Pod) -> bool:
    """Whether this is how the API server shows a static pod."""
    return MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {})


def _static(sight: Sight) -> Escape | None:
    if sight.exempt or not is_mirror(sight.pod):
        return None
    node = sight.pod["spec"].get("nodeName", "")
    why = f"a static pod, made by a file on node {node}, which admission cannot refuse"
    return Escape(Rule.STATIC_POD_FOUND, why, deletable=False)


def _posing(sight: Sight) -> Escape | None:
    """An exempt pod that claims what only injected containers have."""
    if not sight.exempt:
        return None
    snapshot = sight.snapshot
    injections = (snapshot.injection, *snapshot.previous)
    return _refused(Verdict(tuple(rules.check_exempt(sight.pod, injections))))


def _not_admissible(sight: Sight) -> Escape | None:
    """Not what mutate would make and validate accept now. A pod with an intact mark was."""
    if sight.exempt or sight.release is Release.INTACT:
        return None
    return _refused(validate.shape(sight.pod, sight.snapshot).verdict)


def _never_released(sight: Sight) -> Escape | None:
    """Its gate was never there, or somebody else removed it."""
    if sight.exempt or sight.familiar or sight.release is not Release.NONE:
        return None
    why = f"{Reason.NOT_GATED}: the operator did not remove {names.SCHEDULING_GATE} from it"
    return Escape(Rule.POD_ESCAPED, why, deletable=True)


PREDICATES: Final[tuple[Callable[[Sight], Escape | None], ...]] = (
    _static,
    _posing,
    _not_admissible,
    _never_released,
)
"""Asked in this order; the first that finds something words the incident."""


def _refused(verdict: Verdict) -> Escape | None:
    if verdict.allowed:
        return None
    first, others = verdict.denials[0], len(verdict.denials) - 1
    more = f" (and {others} more)" if others else ""
    return Escape(Rule.POD_ESCAPED, first.text() + more, deletable=True)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return datetime.max.replace(tzinfo=UTC)
