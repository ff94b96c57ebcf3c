"""UPDATE: only what changes is judged, so that a finalizer goes long after evidence expired.

Also the subresources by which a pod changes: resize and binding (quorate.admission.debugging has
the ephemeral containers).
"""

from datetime import datetime
from typing import Any

from quorate import names
from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement, is_exempt, may_run, selected, shape
from quorate.verdict import ALLOW, Reason, deny

_UNGUARDED = frozenset({"activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations"})
"""Fields of a pod's spec that change nothing a policy is about."""


def update(
    old: Pod, new: Pod, user: str, snapshot: Snapshot, now: datetime, text: bytes = b""
) -> Judgement:
    """May this pod be changed so? What it was before is not judged again.

    ``text`` is the new spec by quorate.admission.templates.plain_text: see validate.may_run.
    """
    labels_changed = pods.labels(old) != pods.labels(new)
    spec_changed = old["spec"] != new["spec"] and _guarded(old) != _guarded(new)
    if not labels_changed and not spec_changed:
        return Judgement(ALLOW)
    refusal = _identity_change(old, new, snapshot)
    if refusal is not None:
        return refusal
    if pods.is_gated(old) and not pods.is_gated(new):
        return _release(new, user, snapshot, now, text)
    if not spec_changed and not _gains_policy(old, new, snapshot):
        return Judgement(ALLOW)
    return shape(new, snapshot) if pods.is_gated(new) else may_run(new, snapshot, now, text)


def bind(pod: Pod, labels: dict[str, str], snapshot: Snapshot, now: datetime) -> Judgement:
    """May this pod be bound to a node? ``labels`` are those the binding would add to it."""
    if not labels:
        return may_run(pod, snapshot, now)
    bound = pod | {"metadata": pod["metadata"] | {"labels": pods.labels(pod) | labels}}
    return _identity_change(pod, bound, snapshot) or may_run(bound, snapshot, now)


def _guarded(pod: Pod) -> dict[str, Any]:
    """The spec without what may change freely: that, and the resources of the user's containers."""
    spec = {key: value for key, value in pod["spec"].items() if key not in _UNGUARDED}
    for field in ("containers", "initContainers"):
        if spec.get(field):
            spec[field] = [_without_resources(container) for container in spec[field]]
    return spec


def _without_resources(container: dict[str, Any]) -> dict[str, Any]:
    if container["name"] in pods.INJECTED:
        return container
    return {key: value for key, value in container.items() if key != "resources"}


def _identity_change(old: Pod, new: Pod, snapshot: Snapshot) -> Judgement | None:
    """A pod stays what it was admitted as: model pod or exempt, this model, at least these
    policies. None if it does."""
    before, after = selected(old, snapshot), selected(new, snapshot)
    if not is_exempt(old, before) and is_exempt(new, after):
        return _refused(Reason.GUARDED_CHANGE, "a model pod must not become an exempt one")
    if pods.model_name(old) != pods.model_name(new):
        message = f"label {names.MODEL_LABEL} must not change"
        return _refused(Reason.GUARDED_CHANGE, message, fix="create a new pod")
    kept = {policy.ref for policy in after.policies}
    for policy in before.policies:
        if policy.ref not in kept:
            return _refused(
                Reason.GUARDED_CHANGE,
                f"the labels must not take the pod out of {policy.ref}",
                policy=str(policy.ref),
                owner=policy.safety_contact,
                fix="create a new pod",
            )
    return None


def _gains_policy(old: Pod, new: Pod, snapshot: Snapshot) -> bool:
    known = {policy.ref for policy in selected(old, snapshot).policies}
    return any(policy.ref not in known for policy in selected(new, snapshot).policies)


def _release(new: Pod, user: str, snapshot: Snapshot, now: datetime, text: bytes) -> Judgement:
    """Our gate goes: by the operator alone, and only if the pod may run at this moment."""
    if user != names.OPERATOR_USER:
        return _refused(
            Reason.GATE_HELD,
            f"{user} must not remove {names.SCHEDULING_GATE}; the operator does when it may",
            fix=f"kubectl quorate explain pod/{pods.display_name(new)}",
        )
    return may_run(new, snapshot, now, text)


def _refused(reason: Reason, message: str, **details: str) -> Judgement:
    return Judgement(deny(reason, message, **details))
