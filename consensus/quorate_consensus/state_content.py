"""What the committee says to one pod. Pure: from what is observed and judged to the statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import names
from quorate.consensus.epoch import Epoch
from quorate.errors import QuorateError, Unavailable
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.runtime import RuntimeRules
from quorate.signed_state import PodSubject, PolicyState, StateDenial, StateStatement
from quorate.verdict import Reason, Verdict, all_of, deny
from quorate_consensus.collected import Held, certificates_for
from quorate_consensus.issuing import Standing
from quorate_consensus.observed import Observed, ObservedModel
from quorate_io.member_api import ObservedPod

NO_MODEL = "-"
"""Stands for the model in the denial of a pod that names none. No object can have this name."""
_MESSAGE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """What must be judged before the pod's state is known."""

    model: ObservedModel
    policies: tuple[CompiledPolicy, ...]
    rules: RuntimeRules


@dataclass(frozen=True, slots=True)
class Content:
    """A state without its times. Equal contents need no new signature."""

    pod: PodSubject
    manifest_digest: str | None = None
    rules: RuntimeRules | None = None
    policies: tuple[PolicyState, ...] = ()
    revoked: tuple[str, ...] = ()
    denial: StateDenial | None = None
    shard_size: int | None = None


def question(observed: Observed, pod: ObservedPod) -> Question | Verdict:
    """What to judge for this pod, or the denial that needs no judging.

    Raises Unavailable while it is not known what the model's sources hold.
    """
    broken = observed.broken_for(pod.namespace)
    if broken is not None:
        message = f"{broken.ref} cannot be used: {broken.message}"
        return deny(Reason.INVALID_POLICY, message, policy=broken.ref)
    selected = intersect.select(observed.policies_for(pod.namespace), pod.namespace, pod.labels)
    if not selected.verdict.allowed:
        return selected.verdict
    name = pod.labels.get(names.MODEL_LABEL)
    if not name:
        return deny(Reason.NO_MODEL_LABEL, f"the pod has no label {names.MODEL_LABEL}")
    model = observed.models.get((pod.namespace, name))
    if model is None:
        return deny(Reason.MODEL_NOT_FOUND, f"no AttestedModel {pod.namespace}/{name}")
    if not isinstance(model, ObservedModel):
        message = f"AttestedModel {pod.namespace}/{name} cannot be read: {model.message}"
        return deny(Reason.MALFORMED, message)
    if model.unread:
        # Neither yes nor no: the pod goes on with the state it has, until that expires.
        raise Unavailable(
            f"{', '.join(model.model.unread)} of AttestedModel {pod.namespace}/{name} "
            "was not read yet",
            fix="see status.sources of the AttestedModel",
        )
    # In one order at all members, whatever they were told first: others compare what they sign.
    policies = tuple(sorted(selected.policies, key=lambda policy: str(policy.ref)))
    try:
        rules = intersect.runtime_rules(policies)
    except QuorateError as error:
        return deny(Reason.POLICY_CONFLICT, error.message, fix=error.fix)
    return Question(model, policies, rules)


def answer(
    pod: ObservedPod,
    asked: Question,
    standings: Sequence[Standing],
    held: Sequence[Held],
    revoked: tuple[str, ...],
) -> Content:
    """The content once every policy, in the order asked, was judged.

    ``held`` are the certificates that were relayed for the model. Raises Unavailable if the member
    would allow the pod and lacks one: what it says is worth nothing without.
    """
    verdict = all_of(*(standing.evaluation.verdict for standing in standings))
    if not verdict.allowed:
        return denied(pod, verdict, revoked)
    certificates = certificates_for(asked.model, asked.policies, held)
    policies = tuple(
        PolicyState(policy.ref, policy.digest, chosen.envelope)
        for policy, chosen in zip(asked.policies, certificates, strict=True)
    )
    return Content(
        pod=_subject(pod),
        manifest_digest=asked.model.model.spec.manifest_digest,
        rules=asked.rules,
        policies=policies,
        revoked=revoked,
        shard_size=_shard_size(standings),
    )


def _shard_size(standings: Sequence[Standing]) -> int | None:
    """How the signed manifest hashes files. All standings that name one name the same digest."""
    manifests = (standing.evaluation.manifest for standing in standings)
    return next((found.shard_size for found in manifests if found is not None), None)


def denied(pod: ObservedPod, verdict: Verdict, revoked: tuple[str, ...] = ()) -> Content:
    """The content of a denial: the first reason, and all of them for people."""
    denial = StateDenial(
        reason=verdict.denials[0].reason.value, message=verdict.text()[:_MESSAGE_CHARS]
    )
    return Content(pod=_subject(pod), denial=denial, revoked=revoked)


def statement(
    content: Content, epoch: Epoch, *, now: datetime, heard_at: datetime, life: int
) -> StateStatement:
    """The statement to sign at ``now``, given when the member last heard what the cluster holds.

    It ends ``life`` seconds after that, not after now: a member that nobody tells of changes must
    not keep alive what may have been revoked since. Raises Unavailable when that time is past.
    """
    issued_at = now.replace(microsecond=0)
    expires_at = min(heard_at.replace(microsecond=0), issued_at) + timedelta(seconds=life)
    if expires_at <= issued_at:
        raise Unavailable(
            f"the operator was last heard at {heard_at.isoformat()}",
            fix="see the operator's Pods and its log",
        )
    return StateStatement(
        cluster_id=epoch.cluster_id,
        epoch=epoch.digest_text,
        pod=content.pod,
        manifest_digest=content.manifest_digest,
        rules=content.rules,
        policies=content.policies,
        revoked=content.revoked,
        denial=content.denial,
        issued_at=issued_at,
        expires_at=expires_at,
        shard_size=content.shard_size,
    )


def _subject(pod: ObservedPod) -> PodSubject:
    return PodSubject(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        model=pod.labels.get(names.MODEL_LABEL) or NO_MODEL,
    )
