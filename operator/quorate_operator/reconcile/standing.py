"""How a model stands under one policy: what is known of it, and from where. Pure."""

from dataclasses import dataclass
from datetime import datetime

from quorate.api.v1alpha1.attested_model import (
    AttestedModelStatus,
    CertificateStatus,
    PolicyStatus,
    RequirementStatus,
)
from quorate.certificate import Certificate
from quorate.errors import SubjectMismatch
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import SIGNED
from quorate.policy.exceptions import EXCEPTED
from quorate.policy.server_images import SERVERS_SIGNED
from quorate.verdict import Reason
from quorate_operator.reconcile.outcome import (
    Outcome,
    Question,
    check_certificate,
    renewal,
)
from quorate_operator.reconcile.texts import clipped, timestamp
from quorate_operator.sources.gathered import version


@dataclass(frozen=True, slots=True)
class Standing:
    """Requirements and certificate under one policy, and when to ask the members again."""

    policy: CompiledPolicy
    requirements: tuple[RequirementStatus, ...]
    certificate: Certificate | None
    envelope: str
    ask_at: datetime
    failure: str = ""
    """Why the last question to the members was not answered; empty if it was."""

    @property
    def status(self) -> PolicyStatus:
        """The entry of ``status.policies``."""
        return PolicyStatus.model_validate(
            {
                "kind": self.policy.ref.kind,
                "name": self.policy.ref.name,
                "digest": self.policy.digest,
                "requirements": list(self.requirements),
            }
        )

    @property
    def certificate_status(self) -> CertificateStatus | None:
        """The entry of ``status.certificates``, if there is a certificate."""
        if self.certificate is None:
            return None
        return CertificateStatus.model_validate(
            {
                "kind": self.policy.ref.kind,
                "name": self.policy.ref.name,
                "digest": self.policy.digest,
                "expiresAt": timestamp(self.certificate.statement.expires_at),
                "envelope": self.envelope,
            }
        )


def stand(question: Question, outcome: Outcome | None, now: datetime) -> Standing:
    """Put together what the members said, what the status still proves, and what is missing."""
    policy = question.policy
    if outcome is not None and not outcome.is_about(question):
        outcome = None
    answer = outcome.answer if outcome else None
    if outcome and answer:
        held = answer.certificate
        if held is None:
            return Standing(policy, answer.requirements, None, "", outcome.ask_at)
        if held.statement.expires_at > now:
            return Standing(
                policy,
                answer.requirements,
                held,
                answer.envelope,
                outcome.ask_at,
                outcome.failure,
            )
    if outcome is None or outcome.failure:
        adopted = _adopted(question, outcome, now)
        if adopted:
            return adopted
    reason = outcome.reason if outcome else Reason.VERIFICATION_PENDING
    message = outcome.failure if outcome else f"{policy.ref} is being verified"
    ask_at = outcome.ask_at if outcome else now
    return Standing(policy, unknown(policy, reason, message), None, "", ask_at)


def _adopted(question: Question, outcome: Outcome | None, now: datetime) -> Standing | None:
    """What the status says, if its certificate proves it for this policy and generation."""
    policy, view = question.policy, question.known.model
    attached = view.attached.get(policy.ref) if view else None
    if view is None or attached is None or not _counts(attached.certificate, question, now):
        return None
    ask_at = outcome.ask_at if outcome else None
    report = _report(view.status, question)
    if report is None or any(r.status != "True" for r in report.requirements):
        # The certificate counts, but what it rests on was changed or is not known any more.
        reason = outcome.reason if outcome else Reason.VERIFICATION_PENDING
        message = outcome.failure if outcome else f"{policy.ref} is being verified"
        requirements, ask_at = unknown(policy, reason, message), ask_at or now
    else:
        requirements = tuple(report.requirements)
        # The status does not say which signatures of images it rests on: ask.
        later = now if policy.server_signers else renewal(question, attached.certificate)
        ask_at = ask_at or later
    failure = outcome.failure if outcome else ""
    return Standing(policy, requirements, attached.certificate, attached.envelope, ask_at, failure)


def _counts(held: Certificate, question: Question, now: datetime) -> bool:
    try:
        check_certificate(held, question)
    except SubjectMismatch:
        return False
    return held.statement.expires_at > now


def _report(status: AttestedModelStatus | None, question: Question) -> PolicyStatus | None:
    """What was written of this policy as it is now, about the present generation and documents."""
    known = question.known
    if status is None or status.observed_generation != known.generation:
        return None
    found = version(document.digest for source in status.sources for document in source.documents)
    if found != known.documents and not known.unread:
        return None
    ref = question.policy.ref
    for entry in status.policies:
        if (entry.kind, entry.name, entry.digest) == (ref.kind, ref.name, question.policy.digest):
            # What was lifted then may not be now: the members are asked.
            return None if any(r.reason == EXCEPTED for r in entry.requirements) else entry
    return None


def unknown(policy: CompiledPolicy, reason: str, message: str) -> tuple[RequirementStatus, ...]:
    """Every requirement of a policy, as not known for this reason."""
    asked = [SIGNED] if policy.signers is not None else []
    asked += [SERVERS_SIGNED] if policy.server_signers is not None else []
    asked += [gate.requirement for gate in policy.gates]
    return tuple(
        RequirementStatus(name=name, status="Unknown", reason=reason, message=clipped(message))
        for name in asked
    )
