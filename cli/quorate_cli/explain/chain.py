"""From facts to the chain of reasons. Pure: it reads nothing but its arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from quorate import limits, names
from quorate.admission import pods
from quorate.admission.floor import EXCLUDED_NAMESPACES
from quorate.admission.model import KnownModel, know_model
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.attested_model import RequirementStatus
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import evaluate
from quorate.policy.requirement import Requirement
from quorate.verdict import Denial, Reason
from quorate_cli.explain import evidence
from quorate_cli.explain.certificates import certificate_line
from quorate_cli.explain.explanation import (
    Explanation,
    ModelLine,
    NamespaceMode,
    RequirementLine,
    Standing,
    Subject,
)
from quorate_cli.explain.facts import Facts
from quorate_cli.explain.images import image_lines
from quorate_cli.explain.judging import judge_model, judge_pod
from quorate_cli.explain.node_side import node_side
from quorate_cli.explain.policy_lines import broken_line, policy_line
from quorate_cli.explain.remedies import refusal
from quorate_cli.explain.remedies.context import Context
from quorate_cli.explain.sources import as_reported, is_elsewhere, source_lines
from quorate_cli.policies import Answer, compile_all, selects_model, selects_pod
from quorate_sigstore import OfflineSigstore


@dataclass(frozen=True, slots=True)
class _Known:
    """What the facts turn out to be, once read strictly."""

    model: AttestedModel | None
    problem: str
    """Why the model cannot be read."""
    admission: KnownModel | None
    compiled: list[tuple[CompiledPolicy, Answer]]
    broken: list[BrokenPolicy]

    @property
    def meant(self) -> tuple[CompiledPolicy, ...]:
        """The policies that select, or may."""
        return tuple(policy for policy, answer in self.compiled if answer != "no")


def _requirements(
    policy: CompiledPolicy, model: AttestedModel, now: datetime
) -> tuple[Requirement, ...]:
    return evaluate(policy, model, now, sigstore=OfflineSigstore()).requirements


def explain(facts: Facts, now: datetime) -> Explanation:
    """The whole chain, from the namespace's mode to the verdict."""
    known = _know(facts, now)
    context = Context(
        namespace=facts.namespace,
        model_name=facts.model_name,
        target=facts.target,
        pod=facts.pod,
        model=known.model,
        policies=known.meant,
        others=tuple(policy for policy, answer in known.compiled if answer == "no"),
        other_models=facts.other_models,
    )
    judged = [(policy, _judged(policy, known, facts, now)) for policy in known.meant]
    standings = [
        _standing(policy, requirements, known, context, facts, now)
        for policy, requirements in (judged if known.model else ())
    ]
    labels = pods.labels(facts.pod) if facts.pod else {names.MODEL_LABEL: facts.model_name}
    explanation = Explanation(
        subject=_subject(facts),
        namespace=_mode(facts),
        policies=(
            *(policy_line(policy, answer, labels) for policy, answer in known.compiled),
            *(broken_line(policy) for policy in known.broken),
        ),
        model=_model_line(facts, known, judged),
        standings=tuple(standings),
        node_side=node_side(facts.pod, facts.events) if facts.pod and facts.exists else None,
        gaps=tuple(facts.gaps),
        warnings=tuple(_warnings(facts, known)),
    )
    if facts.pod is None:
        return judge_model(explanation, facts, context, known.broken, known.problem)
    return judge_pod(explanation, facts, context, now)


def _judged(
    policy: CompiledPolicy, known: _Known, facts: Facts, now: datetime
) -> tuple[Requirement, ...]:
    """Judged here, or where documents are kept elsewhere, as the committee judged.

    Its yes counts with a certificate that verifies; a status alone proves nothing.
    """
    model = known.model
    if model is None:
        return ()
    line = certificate_line(policy, model, known.admission, facts.history, now)
    found = []
    for requirement in _requirements(policy, model, now):
        reported = as_reported(policy, model, requirement)
        believed = reported and (reported.denial is not None or line.state == "valid")
        found.append(reported if reported and believed else requirement)
    return tuple(found)


def _warnings(facts: Facts, known: _Known) -> Iterator[str]:
    if known.problem:
        yield f"the AttestedModel cannot be read: {known.problem}"
    seconds = facts.ahead.total_seconds()
    if abs(seconds) > limits.CLOCK_SKEW:
        which = "behind" if seconds > 0 else "ahead of"
        text = f"this machine's clock, by which times were judged, is {abs(seconds):.0f} s {which} "
        yield text + "the API server's"


def _know(facts: Facts, now: datetime) -> _Known:
    compiled, broken = compile_all(facts.policies)
    if facts.pod is not None:
        labels = pods.labels(facts.pod)
        answered = [(p, selects_pod(p, labels)) for p in compiled]
    else:
        answered = [(p, selects_model(p, facts.model_name)) for p in compiled]
    model, problem = None, ""
    if facts.model is not None:
        try:
            model = read(AttestedModel, facts.model)
        except InvalidInput as error:
            problem = str(error)
    admission = know_model(model, facts.history, now) if model and facts.history else None
    return _Known(model, problem, admission, answered, broken)


def _subject(facts: Facts) -> Subject:
    if facts.pod is None:
        return Subject(kind="model", namespace=facts.namespace, name=facts.model_name)
    metadata, target = facts.pod["metadata"], facts.target
    if not facts.exists and target is not None:
        return Subject(kind=target.kind, namespace=facts.namespace, name=target.name)
    controller = f"{target.kind}/{target.name}" if target and target.kind != "pod" else ""
    created = metadata.get("creationTimestamp")
    return Subject(
        kind="pod",
        namespace=facts.namespace,
        name=str(metadata.get("name", "")),
        phase=str((facts.pod.get("status") or {}).get("phase", "")),
        node=str(facts.pod["spec"].get("nodeName") or ""),
        controller=controller,
        created_at=datetime.fromisoformat(created) if created else None,
    )


def _mode(facts: Facts) -> NamespaceMode:
    name = facts.namespace
    labels = ((facts.namespace_document or {}).get("metadata") or {}).get("labels") or {}
    mode = str(labels.get(names.MODE_LABEL, ""))
    enforced = mode == "enforce" and name not in EXCLUDED_NAMESPACES
    if facts.namespace_document is None:
        message = "its mode is not known; what follows is what enforcing would say"
    elif enforced:
        message = "every pod must hold its policies, or be exempt"
    elif name in EXCLUDED_NAMESPACES:
        message = "never judged: a cluster must start while Quorate is down"
    elif mode in ("warn", "audit"):
        message = "nothing is refused, only reported; what follows is what enforcing would say"
    elif mode:
        message = f"{mode!r} is no mode (enforce, warn or audit), so nothing is judged"
    else:
        message = f"not opted in: nothing is judged until it is labelled {names.MODE_LABEL}=enforce"
    return NamespaceMode(name=name, mode=mode, enforced=enforced, message=message)


def _standing(
    policy: CompiledPolicy,
    requirements: tuple[Requirement, ...],
    known: _Known,
    context: Context,
    facts: Facts,
    now: datetime,
) -> Standing:
    model = known.model
    if model is None:
        raise ValueError("a standing needs a model")
    reported = _reported(policy, model)
    return Standing(
        policy=str(policy.ref),
        requirements=tuple(
            _line(policy, requirement, reported.get(requirement.name), context, model, now)
            for requirement in requirements
        ),
        certificate=certificate_line(policy, model, known.admission, facts.history, now),
        images=image_lines(policy, known.admission, now),
    )


def _line(
    policy: CompiledPolicy,
    requirement: Requirement,
    reported: RequirementStatus | None,
    context: Context,
    model: AttestedModel,
    now: datetime,
) -> RequirementLine:
    denial = requirement.denial or _remembered(policy, reported)
    return RequirementLine(
        name=requirement.name,
        holds=denial is None,
        reported=f"{reported.status} {reported.reason}" if reported else "",
        shown_by=evidence.shown_by(policy, requirement, model, now),
        counts_until=requirement.not_after,
        elsewhere=is_elsewhere(policy, model, requirement) and not requirement.shown_by,
        refusal=refusal(denial, context) if denial else None,
    )


def _remembered(policy: CompiledPolicy, reported: RequirementStatus | None) -> Denial | None:
    """A failure that only the member knows: the model no longer carries the statement."""
    if reported is None or reported.status == "True" or reported.reason != Reason.GATE_FAILED:
        return None
    return Denial(
        Reason.GATE_FAILED,
        reported.message,
        requirement=reported.name,
        policy=str(policy.ref),
        owner=policy.safety_contact,
    )


def _reported(policy: CompiledPolicy, model: AttestedModel) -> dict[str, RequirementStatus]:
    """What the operator wrote about each requirement of the policy as it is now."""
    status = model.status
    if status is None or status.observed_generation < model.metadata.generation:
        return {}
    for entry in status.policies:
        if (entry.kind, entry.name, entry.digest) == (
            policy.ref.kind,
            policy.ref.name,
            policy.digest,
        ):
            return {item.name: item for item in entry.requirements}
    return {}


def _model_line(
    facts: Facts, known: _Known, judged: list[tuple[CompiledPolicy, tuple[Requirement, ...]]]
) -> ModelLine | None:
    model = known.model
    if model is None:
        return None
    source, status, owners = model.spec.source, model.status, model.spec.owners
    ready = next((c for c in status.conditions if c.type == "Ready"), None) if status else None
    where = f"image {source.image.reference}" if source.image else ""
    if source.persistent_volume_claim:
        where = f"PersistentVolumeClaim {source.persistent_volume_claim.claim_name}"
    if source.directory:
        where = f"emptyDir {source.directory.volume_name}, filled before it is measured"
    if source.host_path:
        where = f"hostPath {source.host_path.path}"
    pairs = [(policy, r) for policy, requirements in judged for r in requirements]
    return ModelLine(
        ref=model.ref,
        manifest_digest=model.spec.manifest_digest,
        source=where,
        version=model.spec.version,
        owner=f"{owners.model.name} <{owners.model.contact}>" if owners else "",
        ready=": ".join(filter(None, (f"{ready.status} {ready.reason}", ready.message)))
        if ready
        else "",
        seen_by_operator=bool(
            status and status.observed_generation >= max(1, model.metadata.generation)
        ),
        evidence=evidence.inventory(model, pairs),
        sources=source_lines(model),
    )
