"""What admission keeps of an AttestedModel: what a decision compares, and nothing else.

Bundles, statements and certificates are large; a cluster holds thousands of models. Certificates
are verified when the object enters, and only what they say is kept.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from quorate import certificate, vouched
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.attested_model import CertificateStatus, PolicyStatus, Source
from quorate.certificate import PolicyRef, ServerImage
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import Expired, QuorateError
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import ALLOW, Denial, Reason, Verdict

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate that verified, and is for this model with this manifest."""

    policy_digest: str
    expires_at: datetime
    certificate_id: str
    servers: tuple[ServerImage, ...] = ()
    """Images that the policy's serverSigners signed, if it names any."""
    servers_unread: tuple[str, ...] = ()
    epoch: str = ""
    voters: frozenset[str] = frozenset()
    """Whose word it is: :func:`quorate.vouched.stands` says whether it still counts."""


@dataclass(frozen=True, slots=True)
class RefusedCertificate:
    """A certificate in the status that does not count, and why."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the operator says of one policy as it was. Not signed: it may deny early, never allow.

    Items are ``(requirement, reason, message)``.
    """

    digest: str
    failed: tuple[tuple[str, str, str], ...]
    unknown: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """An AttestedModel as admission knows it."""

    namespace: str
    name: str
    manifest_digest: str
    source: Source
    has_owners: bool
    certificates: Mapping[PolicyRef, HeldCertificate]
    refused: Mapping[PolicyRef, RefusedCertificate]
    reports: Mapping[PolicyRef, Report]
    """Empty while the operator has not looked at the present generation."""
    strangers: Mapping[PolicyRef, str] = field(default_factory=dict)
    """Envelopes of those that are refused because their epoch is not known: it may be newer."""
    read_at: datetime = _NEVER

    @property
    def ref(self) -> str:
        """How messages name the model."""
        return f"AttestedModel/{self.namespace}/{self.name}"


def know_model(model: AttestedModel, history: History, now: datetime) -> KnownModel:
    """Verify the certificates in a model's status. Never raises: what fails is remembered.

    An expired certificate is refused here too; one that expires later is refused when it is used.
    """
    namespace = model.metadata.namespace or ""
    known = KnownModel(
        namespace=sys.intern(namespace),
        name=model.metadata.name,
        manifest_digest=model.spec.manifest_digest,
        source=model.spec.source,
        has_owners=model.spec.owners is not None,
        certificates={},
        refused={},
        reports=_reports(model),
        read_at=now,
    )
    entries = model.status.certificates if model.status else []
    return _verified(known, {_ref(one, namespace): one.envelope for one in entries}, history)


def _ref(entry: CertificateStatus | PolicyStatus, namespace: str) -> PolicyRef:
    cluster_wide = entry.kind == "ClusterSafetyPolicy"
    return PolicyRef(
        sys.intern(entry.kind),
        None if cluster_wide else sys.intern(namespace),
        sys.intern(entry.name),
    )


def _verified(
    known: KnownModel, envelopes: Mapping[PolicyRef, str], history: History
) -> KnownModel:
    """The model with these certificates instead of those it has for the same policies."""
    certificates, refused = dict(known.certificates), dict(known.refused)
    strangers = dict[PolicyRef, str]()
    for ref, envelope in envelopes.items():
        refused.pop(ref, None)
        try:
            certificates[ref] = _held(known, ref, envelope, history)
        except Expired as error:
            refused[ref] = RefusedCertificate(Reason.CERTIFICATE_EXPIRED, str(error))
        except QuorateError as error:
            refused[ref] = RefusedCertificate(Reason.CERTIFICATE_INVALID, str(error))
            if isinstance(error, EpochUnknown):
                strangers[ref] = envelope
    return replace(known, certificates=certificates, refused=refused, strangers=strangers)


def _held(known: KnownModel, ref: PolicyRef, envelope: str, history: History) -> HeldCertificate:
    verified = certificate.verify(envelope.encode("utf-8"), history, known.read_at)
    statement = verified.statement
    certificate.check_subject(
        statement,
        namespace=known.namespace,
        model=known.name,
        manifest_digest=known.manifest_digest,
        policy=ref,
        # The policy as it is now is compared when the certificate is used.
        policy_digest=statement.policy_digest,
    )
    return HeldCertificate(
        sys.intern(statement.policy_digest),
        statement.expires_at,
        verified.certificate_id,
        statement.servers,
        statement.servers_unread,
        sys.intern(statement.epoch),
        verified.voters,
    )


def reconsider(known: KnownModel, history: History) -> KnownModel:
    """The model by a later history: certificates whose signers were found lying are refused, and
    those of epochs that were not known are looked at again."""
    lost = {
        ref: RefusedCertificate(
            Reason.CERTIFICATE_INVALID, "too few of its signers are still believed"
        )
        for ref, held in known.certificates.items()
        if not vouched.stands(held.epoch, held.voters, vouched.strict, history)
    }
    if lost:
        kept = {ref: held for ref, held in known.certificates.items() if ref not in lost}
        known = replace(known, certificates=kept, refused={**known.refused, **lost})
    return _verified(known, known.strangers, history) if known.strangers else known


def _reports(model: AttestedModel) -> dict[PolicyRef, Report]:
    status = model.status
    if status is None or status.observed_generation < model.metadata.generation:
        return {}
    namespace = model.metadata.namespace or ""
    return {_ref(entry, namespace): _report(entry) for entry in status.policies}


def _report(entry: PolicyStatus) -> Report:
    def items(status: str) -> tuple[tuple[str, str, str], ...]:
        return tuple(
            (sys.intern(r.name), sys.intern(r.reason), r.message)
            for r in entry.requirements
            if r.status == status
        )

    return Report(sys.intern(entry.digest), items("False"), items("Unknown"))


def certified(known: KnownModel, policy: CompiledPolicy, now: datetime) -> Verdict:
    """Whether the model holds a certificate for this policy as it is now."""
    ref = policy.ref
    held = known.certificates.get(ref)
    if held is None:
        refused = known.refused.get(ref)
        if refused is not None:
            return _uncertified(known, policy, refused.reason, refused.message)
        return _uncertified(known, policy, Reason.CERTIFICATE_MISSING, f"no certificate for {ref}")
    if held.expires_at <= now:
        message = f"the certificate for {ref} expired at {held.expires_at.isoformat()}"
        return _uncertified(known, policy, Reason.CERTIFICATE_EXPIRED, message)
    if held.policy_digest != policy.digest:
        message = f"the certificate is for {ref} as it was ({held.policy_digest})"
        return _uncertified(known, policy, Reason.CERTIFICATE_INVALID, message)
    return ALLOW


def _uncertified(
    known: KnownModel, policy: CompiledPolicy, reason: Reason, message: str
) -> Verdict:
    denial = Denial(
        reason,
        message,
        requirement="Certified",
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=f"kubectl quorate explain {known.ref}",
    )
    return Verdict((denial,))


def reported(known: KnownModel, policy: CompiledPolicy) -> Report | None:
    """The operator's report on this policy as it is now; None while it has not judged it."""
    report = known.reports.get(policy.ref)
    return report if report is not None and report.digest == policy.digest else None
