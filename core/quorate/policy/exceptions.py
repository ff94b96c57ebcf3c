"""What a SafetyException lifts: exactly its requirement, for its workload, while it is approved.

Whoever decides verifies the approval itself. The approvers are named by the policy whose
requirement is lifted, so that the policy's digest, which a certificate holds, covers them too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import limits, names
from quorate.api.v1alpha1.safety_exception import GATE_PREFIX, SafetyException, SafetyExceptionSpec
from quorate.canonical import digest_of, parse_object
from quorate.errors import Expired, InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.intoto import Statement, Subject, parse_statement
from quorate.evidence.intoto.approval import Approval, Decision, parse
from quorate.evidence.intoto.statement import STATEMENT_TYPE
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.requirement import Requirement
from quorate.predicates import PredicateUri
from quorate.verdict import Reason

EXCEPTED = "Excepted"
"""Reason word of a requirement that holds only because of an exception."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """One requirement that does not hold a workload back until ``not_after``."""

    requirement: str
    exception: str
    """Name of the SafetyException."""
    digest: str
    """Digest of the approval, as certificates name it."""
    decided_at: datetime
    not_after: datetime
    approvers: tuple[str, ...]
    """Ids of their keys, sorted."""


NOTHING: Mapping[str, Lifted] = {}


def terms(spec: SafetyExceptionSpec) -> dict[str, object]:
    """What is approved: everything the exception says but the approval itself."""
    return spec.model_dump(mode="json", by_alias=True, exclude={"approval"})


def statement(spec: SafetyExceptionSpec, approval: Approval) -> bytes:
    """The payload that approvers sign."""
    digest = digest_of(terms(spec)).removeprefix("sha256:")
    return Statement(
        type_=STATEMENT_TYPE,
        subject=(Subject(names.EXCEPTION_SUBJECT, {"sha256": digest}),),
        predicate_type=PredicateUri.APPROVAL,
        predicate=approval.predicate,
    ).encode()


def read_approval(spec: SafetyExceptionSpec, payload: bytes) -> Approval:
    """What a payload approves, unverified. Raises QuorateError unless it is these very terms."""
    found = parse_statement(payload, PredicateUri.APPROVAL)
    digest = digest_of(terms(spec)).removeprefix("sha256:")
    if found.subject != (Subject(names.EXCEPTION_SUBJECT, {"sha256": digest}),):
        raise SubjectMismatch("the approval is for other terms", field="spec.approval")
    approval = parse(found.predicate)
    said = (approval.decision, approval.reason, approval.gates, approval.namespaces)
    if said != (Decision.APPROVED, spec.reason, gates(spec), (spec.workload.namespace,)):
        raise SubjectMismatch("the approval contradicts the terms", field="spec.approval")
    life = timedelta(seconds=limits.EXCEPTION_LIFE)
    if approval.expires_at - approval.decided_at > life:
        raise InvalidInput(
            f"must end at most {limits.EXCEPTION_LIFE} s after it was decided",
            field="spec.approval",
        )
    return approval


def gates(spec: SafetyExceptionSpec) -> tuple[str, ...]:
    """The gate that is lifted, if it is one."""
    name = spec.requirement.removeprefix(GATE_PREFIX)
    return () if name == spec.requirement else (name,)


def lift(exception: SafetyException, policy: CompiledPolicy, cluster: str, now: datetime) -> Lifted:
    """What the exception lifts of ``policy`` now. Raises QuorateError if nothing, and why."""
    spec = exception.spec
    if exception.metadata.namespace != names.NAMESPACE:
        raise SubjectMismatch(f"counts in {names.NAMESPACE} only", field="metadata.namespace")
    if spec.cluster != cluster:
        raise SubjectMismatch(f"this cluster is {cluster}", field="spec.cluster")
    if not policy.is_cluster or policy.ref.name != spec.policy:
        raise SubjectMismatch(f"is not about {policy.ref}", field="spec.policy")
    if policy.approvers is None:
        raise SignatureError(f"{policy.ref} names no approvers", field="spec.policy")
    if not spec.approval:
        raise SignatureError("nobody has approved yet", field="spec.approval")
    data = spec.approval.encode("utf-8")
    keys, threshold = policy.approvers.keys, policy.approvers.threshold
    verified = dsse.verify(dsse.parse(data), keys, threshold, names.INTOTO_TYPE)
    approval = read_approval(spec, verified.payload)
    if approval.decided_at > now + timedelta(seconds=limits.CLOCK_SKEW):
        raise Expired(f"the approval is from the future ({approval.decided_at.isoformat()})")
    if approval.expires_at <= now:
        raise Expired(f"ended at {approval.expires_at.isoformat()}")
    return Lifted(
        requirement=spec.requirement,
        exception=exception.metadata.name,
        digest=digest_of(parse_object(data)),
        decided_at=approval.decided_at,
        not_after=approval.expires_at,
        approvers=tuple(sorted(verified.signers)),
    )


def lifted(
    exceptions: Iterable[SafetyException],
    policy: CompiledPolicy,
    workload: tuple[str, str, str],
    cluster: str,
    now: datetime,
) -> Mapping[str, Lifted]:
    """By requirement, what is lifted of ``policy`` for ``(namespace, model, manifest digest)``.

    Each exception is judged by itself. Of two for one requirement the later end counts.
    """
    found: dict[str, Lifted] = {}
    for exception in exceptions:
        about = exception.spec.workload
        if (about.namespace, about.model, about.manifest_digest) != workload:
            continue
        try:
            one = lift(exception, policy, cluster, now)
        except QuorateError:
            continue
        known = found.get(one.requirement)
        if known is None or known.not_after < one.not_after:
            found[one.requirement] = one
    return found


def without(requirement: Requirement, lifted_: Mapping[str, Lifted]) -> Requirement:
    """The requirement as it stands once what is lifted is: a gate that failed still denies."""
    one = lifted_.get(requirement.name)
    denial = requirement.denial
    if one is None or denial is None or denial.reason is Reason.GATE_FAILED:
        return requirement
    return Requirement(requirement.name, None, (one.digest,), one.not_after, one.exception)
