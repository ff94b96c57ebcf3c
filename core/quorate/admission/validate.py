"""Validate: may this pod be created, changed, bound? The decision, as a function of a snapshot.

In an enforced namespace every pod is a model pod unless all its images are exempt. What is not
known is denied. An UPDATE is judged by what it changes, so that a finalizer can be removed long
after the evidence expired.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from quorate import names
from quorate.admission import pod_rules, pods
from quorate.admission.injection import Pod
from quorate.admission.snapshot import KnownModel, Snapshot, certified, judged
from quorate.api.v1alpha1.attested_model import RequirementStatus
from quorate.errors import QuorateError
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import ALLOW, Denial, Reason, Verdict, all_of, deny


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what a person should know although it allows."""

    verdict: Verdict
    warnings: tuple[str, ...] = ()
    exempt: bool = False
    """The pod is no model pod: all its images are exempt."""


def create(pod: Pod, snapshot: Snapshot, now: datetime) -> Judgement:
    """May this pod be created? It must be complete and gated; certificates may still be missing."""
    judgement = shape(pod, snapshot, now)
    if judgement.exempt or not judgement.verdict.allowed:
        return judgement
    extra: list[Denial] = []
    if not pods.is_gated(pod):
        extra.append(
            Denial(
                Reason.NOT_GATED,
                f"the pod must carry the scheduling gate {names.SCHEDULING_GATE}",
                fix="create the pod anew; the mutating webhook was not reached",
            )
        )
    if pod["spec"].get("nodeName"):
        extra.append(
            Denial(
                Reason.PRESET_NODE, "spec.nodeName must not be set: the scheduler would not see it"
            )
        )
    known, policies = _known(pod, snapshot), _selected(pod, snapshot)
    failed, pending = _reported(known, policies)
    verdict = all_of(judgement.verdict, Verdict(tuple(extra)), Verdict(tuple(failed)))
    return replace(judgement, verdict=verdict, warnings=judgement.warnings + tuple(pending))


def may_run(pod: Pod, snapshot: Snapshot, now: datetime) -> Judgement:
    """May this pod run now? Its shape is right and its model holds a certificate per policy."""
    judgement = shape(pod, snapshot, now)
    if judgement.exempt or not judgement.verdict.allowed:
        return judgement
    known = _known(pod, snapshot)
    verdict = all_of(*(certified(known, p, now) for p in _selected(pod, snapshot)))
    return replace(judgement, verdict=verdict)


def update(old: Pod, new: Pod, user: str, snapshot: Snapshot, now: datetime) -> Judgement:
    """May this pod be changed so? Only what changes is judged."""
    if pods.gates(old) != pods.gates(new):
        return _gate_change(old, new, user, snapshot, now)
    if not _guarded_change(old, new):
        return Judgement(ALLOW)
    was_exempt = _is_exempt(old, snapshot)
    if not was_exempt and _is_exempt(new, snapshot):
        return _refused(Reason.GUARDED_CHANGE, "a model pod must not become an exempt one")
    if pods.model_name(old) != pods.model_name(new):
        return _refused(
            Reason.GUARDED_CHANGE,
            f"label {names.MODEL_LABEL} must not change",
            fix="create a new pod",
        )
    kept = {policy.ref for policy in _selected(new, snapshot)}
    lost = [policy.ref for policy in _selected(old, snapshot) if policy.ref not in kept]
    if lost:
        policy = str(lost[0])
        return _refused(
            Reason.GUARDED_CHANGE,
            f"the labels must not take the pod out of {policy}",
            policy=policy,
        )
    return shape(new, snapshot, now) if pods.is_gated(new) else may_run(new, snapshot, now)


def _gate_change(old: Pod, new: Pod, user: str, snapshot: Snapshot, now: datetime) -> Judgement:
    if pods.is_gated(old) and not pods.is_gated(new):
        if user != names.OPERATOR_USER:
            return _refused(
                Reason.GATE_HELD,
                f"{user} must not remove {names.SCHEDULING_GATE}; the operator does when it may",
                fix=f"kubectl quorate explain pod/{pods.display_name(new)}",
            )
        return may_run(new, snapshot, now)
    return shape(new, snapshot, now)


def ephemeral_containers(pod: Pod, snapshot: Snapshot) -> Judgement:
    """No debugging containers inside a model pod: they could reach the model past the sidecar."""
    if _is_exempt(pod, snapshot):
        return Judgement(ALLOW, exempt=True)
    return _refused(
        Reason.EPHEMERAL_CONTAINER,
        "ephemeral containers must not be added to a model pod",
        fix="debug a copy of the pod in a namespace that does not enforce",
    )


def shape(pod: Pod, snapshot: Snapshot, now: datetime) -> Judgement:
    """Everything but certificates: policies, model, containers, volumes, injection."""
    namespace = pod["metadata"].get("namespace", "")
    for broken in snapshot.broken:
        if broken.namespace in (None, namespace):
            message = f"{broken.ref} does not compile: {broken.message}"
            return _refused(Reason.INVALID_POLICY, message, policy=broken.ref)
    if _is_exempt(pod, snapshot):
        return Judgement(ALLOW, exempt=True)
    selected = intersect.select(snapshot.policies, namespace, pods.labels(pod))
    if not selected.verdict.allowed:
        return Judgement(selected.verdict)
    contact = _contact(selected.policies)
    details = {"policy": ", ".join(str(p.ref) for p in selected.policies), "owner": contact}
    name = pods.model_name(pod)
    if not name:
        return _refused(
            Reason.NO_MODEL_LABEL,
            f"a pod in an enforced namespace must say which model it serves ({names.MODEL_LABEL})",
            fix="label the pod, or have its images exempted in a ClusterSafetyPolicy",
            **details,
        )
    known = snapshot.models.get((namespace, name))
    if known is None:
        return _refused(
            Reason.MODEL_NOT_FOUND,
            f"no AttestedModel {namespace}/{name}",
            fix=f"kubectl quorate model manifest --name {name} --namespace {namespace} … "
            "| kubectl apply -f -",
            **details,
        )
    return Judgement(_against_rules(pod, known, selected.policies, snapshot, details))


def _against_rules(
    pod: Pod,
    known: KnownModel,
    policies: tuple[CompiledPolicy, ...],
    snapshot: Snapshot,
    details: dict[str, str],
) -> Verdict:
    if known.model.spec.owners is None:
        return deny(
            Reason.MALFORMED,
            f"{known.model.ref}.spec.owners must be set where the namespace enforces",
            **details,
        )
    try:
        rules = intersect.runtime_rules(policies)
    except QuorateError as error:
        return deny(Reason.POLICY_CONFLICT, error.message, fix=error.fix, **details)
    claim = known.model.spec.source.persistent_volume_claim
    namespace = known.model.metadata.namespace or ""
    allowed = pod_rules.Allowed(
        model=known.model,
        servers=intersect.allowed_servers(policies),
        volumes=intersect.allowed_volumes(policies),
        rules=rules,
        injection=snapshot.injection,
        claim_modes=snapshot.claims.get((namespace, claim.claim_name)) if claim else None,
    )
    denials = pod_rules.check(pod, allowed)
    return Verdict(
        tuple(replace(d, policy=details["policy"], owner=details["owner"]) for d in denials)
    )


def _reported(
    known: KnownModel, policies: tuple[CompiledPolicy, ...]
) -> tuple[list[Denial], list[str]]:
    """Requirements the operator already saw fail, and policies it has not judged yet."""
    failed: list[Denial] = []
    pending: list[str] = []
    for policy in policies:
        status = judged(known, policy)
        if status is None:
            pending.append(f"{Reason.VERIFICATION_PENDING}: {policy.ref} is being verified")
            continue
        failed += [
            _reported_denial(known, policy, requirement)
            for requirement in status.requirements
            if requirement.status == "False"
        ]
    return failed, pending


def _reported_denial(
    known: KnownModel, policy: CompiledPolicy, requirement: RequirementStatus
) -> Denial:
    known_reasons = {reason.value for reason in Reason}
    reason = (
        Reason(requirement.reason)
        if requirement.reason in known_reasons
        else Reason.CERTIFICATE_MISSING
    )
    return Denial(
        reason,
        requirement.message,
        requirement=requirement.name,
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=f"kubectl quorate explain {known.model.ref}",
    )


def _known(pod: Pod, snapshot: Snapshot) -> KnownModel:
    return snapshot.models[(pod["metadata"].get("namespace", ""), pods.model_name(pod))]


def _selected(pod: Pod, snapshot: Snapshot) -> tuple[CompiledPolicy, ...]:
    namespace = pod["metadata"].get("namespace", "")
    return intersect.select(snapshot.policies, namespace, pods.labels(pod)).policies


def _is_exempt(pod: Pod, snapshot: Snapshot) -> bool:
    return intersect.is_exempt(snapshot.policies, pods.labels(pod), pods.image_digests(pod))


def _guarded_change(old: Pod, new: Pod) -> bool:
    return bool(old["spec"] != new["spec"] or pods.labels(old) != pods.labels(new))


def _contact(policies: tuple[CompiledPolicy, ...]) -> str:
    return ", ".join(dict.fromkeys(p.safety_contact for p in policies if p.safety_contact))


def _refused(reason: Reason, message: str, **details: str) -> Judgement:
    return Judgement(deny(reason, message, **details))
