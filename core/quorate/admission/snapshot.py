"""What admission knows: policies, models with verified certificates, claims. A lookup, no I/O.

Everything in a snapshot was verified when it entered; a decision only compares and counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from quorate import certificate
from quorate.admission.injection import InjectionConfig
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.attested_model import PolicyStatus
from quorate.certificate import Certificate, PolicyRef
from quorate.errors import QuorateError, SubjectMismatch
from quorate.genesis import Genesis
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason, Verdict, deny


@dataclass(frozen=True, slots=True)
class BrokenPolicy:
    """A policy that does not compile. It denies every pod it might have been for."""

    namespace: str | None
    ref: str
    message: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """An AttestedModel with those of its certificates whose signatures verified."""

    model: AttestedModel
    certificates: Mapping[PolicyRef, Certificate]
    refused: Mapping[PolicyRef, str]
    """Why a certificate in the status does not count, by policy."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the cluster as far as admission needs it."""

    injection: InjectionConfig
    policies: tuple[CompiledPolicy, ...] = ()
    broken: tuple[BrokenPolicy, ...] = ()
    models: Mapping[tuple[str, str], KnownModel] = field(default_factory=dict)
    """By (namespace, name)."""
    claims: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Access modes of persistent volume claims, by (namespace, name)."""


def know_model(model: AttestedModel, genesis: Genesis, now: datetime) -> KnownModel:
    """Verify the certificates in a model's status. Never raises: what fails is remembered.

    An expired certificate is refused here too; one that expires later is refused when it is used.
    """
    certificates: dict[PolicyRef, Certificate] = {}
    refused: dict[PolicyRef, str] = {}
    namespace = model.metadata.namespace or ""
    for entry in model.status.certificates if model.status else []:
        cluster_wide = entry.kind == "ClusterSafetyPolicy"
        ref = PolicyRef(entry.kind, None if cluster_wide else namespace, entry.name)
        try:
            verified = certificate.verify(entry.envelope.encode("utf-8"), genesis, now)
            statement = verified.statement
            if (statement.namespace, statement.model) != (namespace, model.metadata.name):
                raise SubjectMismatch("the certificate is for another model")
            if statement.policy != ref:
                raise SubjectMismatch(f"the certificate is for {statement.policy}")
            certificates[ref] = verified
        except QuorateError as error:
            refused[ref] = str(error)
    return KnownModel(model, certificates, refused)


def certified(known: KnownModel, policy: CompiledPolicy, now: datetime) -> Verdict:
    """Whether the model holds a certificate for this policy as it is now."""
    ref = policy.ref
    details = {
        "requirement": "Certified",
        "policy": str(ref),
        "owner": policy.safety_contact,
        "fix": f"kubectl quorate explain {known.model.ref}",
    }
    held = known.certificates.get(ref)
    if held is None:
        if ref in known.refused:
            return deny(Reason.CERTIFICATE_INVALID, known.refused[ref], **details)
        return deny(Reason.CERTIFICATE_MISSING, f"no certificate for {ref}", **details)
    if held.statement.expires_at <= now:
        ended = held.statement.expires_at.isoformat()
        return deny(Reason.CERTIFICATE_EXPIRED, f"certificate expired at {ended}", **details)
    try:
        certificate.check_subject(
            held.statement,
            namespace=known.model.metadata.namespace or "",
            model=known.model.metadata.name,
            manifest_digest=known.model.spec.manifest_digest,
            policy=ref,
            policy_digest=policy.digest,
        )
    except SubjectMismatch as error:
        return deny(Reason.CERTIFICATE_INVALID, str(error), **details)
    return Verdict()


def judged(known: KnownModel, policy: CompiledPolicy) -> PolicyStatus | None:
    """The operator's report on this policy as it is now; None while it has not judged it.

    The report is not signed. It may word a DENY early, never allow.
    """
    status = known.model.status
    if status is None or status.observed_generation < known.model.metadata.generation:
        return None
    for entry in status.policies:
        if (entry.kind, entry.name, entry.digest) == (
            policy.ref.kind,
            policy.ref.name,
            policy.digest,
        ):
            return entry
    return None
