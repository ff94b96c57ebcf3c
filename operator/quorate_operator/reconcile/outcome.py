"""What came of asking the members about one model under one policy, and when to ask again. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import certificate
from quorate.api.v1alpha1.attested_model import RequirementStatus
from quorate.certificate import Certificate
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import QuorateError
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason
from quorate_io.evaluation import MEMBER_UNAVAILABLE, Evaluation
from quorate_io.member_api import RequirementResult
from quorate_operator.kinds import Key
from quorate_operator.reconcile.texts import clipped
from quorate_operator.world import Known

VERIFIED = "Verified"

RETRY_FIRST = 1.0
RETRY_MAX = 60.0
"""Seconds between questions that were not answered."""
DENIED_AGAIN = 60.0
"""Seconds until a denial is asked about again although nothing changed: time alone may turn it."""
DENIED_AGAIN_MAX = 900.0
"""Few members are enough to deny, so one that lies may have said when to ask again: not never."""
JITTER = 0.1
"""Share of a half-life by which renewals are spread."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the members said together, and the certificate as it was verified here."""

    requirements: tuple[RequirementStatus, ...]
    envelope: str
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last question about exactly this generation of the model, these fetched documents and
    this policy digest."""

    generation: int
    documents: str
    policy_digest: str
    ask_at: datetime
    answer: Answer | None = None
    failure: str = ""
    """Why the last question was not answered; empty if it was."""
    reason: str = MEMBER_UNAVAILABLE
    failures: int = 0

    def is_about(self, question: "Question") -> bool:
        """Whether nothing has changed since."""
        asked = (self.generation, self.documents, self.policy_digest)
        known, policy = question.known, question.policy
        return asked == (known.generation, question.documents, policy.digest)


@dataclass(frozen=True, slots=True)
class Question:
    """One model under one policy, as members were asked."""

    model: Key
    known: Known
    policy: CompiledPolicy
    signatures: str = ""
    """Stands for what was fetched of the policy's server images."""

    @property
    def documents(self) -> str:
        """Stands for everything that was fetched."""
        return f"{self.known.documents}+{self.signatures}"


def answered(
    question: Question,
    answer: Evaluation,
    history: History,
    now: datetime,
    previous: Outcome | None = None,
) -> Outcome:
    """Take in an answer. One that does not prove what it says counts as none.

    Raises EpochUnknown if ``history`` does not reach to the epoch of its certificate.
    """
    policy = question.policy
    if answer.policy_digest != policy.digest:
        why = f"members read {policy.ref} as {answer.policy_digest}, not {policy.digest}"
        return unanswered(question, why, Reason.CERTIFICATE_INVALID, previous, now)
    requirements = tuple(_requirement(result) for result in answer.requirements)
    if answer.certificate is None:
        least, most = (now + timedelta(seconds=s) for s in (DENIED_AGAIN, DENIED_AGAIN_MAX))
        ask_at = max(least, min(answer.renew_at, most))
        return _outcome(question, ask_at, Answer(requirements, "", None))
    try:
        held = certificate.verify(answer.certificate.encode("utf-8"), history, now)
        check_certificate(held, question)
    except EpochUnknown:
        raise
    except QuorateError as error:
        return unanswered(question, str(error), Reason.CERTIFICATE_INVALID, previous, now)
    ask_at = max(answer.renew_at, now) + spread(question, held)
    ask_at = max(min(ask_at, held.statement.expires_at), now + timedelta(seconds=RETRY_FIRST))
    return _outcome(question, ask_at, Answer(requirements, answer.certificate, held))


def unanswered(
    question: Question,
    why: str,
    reason: str,
    previous: Outcome | None,
    now: datetime,
    chance: float = 0.5,
) -> Outcome:
    """Note that a question was not answered. ``chance`` from 0 to 1 spreads the next one."""
    if previous is None or not previous.is_about(question):
        failures, answer = 0, None
    else:
        failures, answer = previous.failures, previous.answer
    seconds = min(RETRY_MAX, RETRY_FIRST * 2.0 ** min(failures, 16)) * (0.5 + chance / 2)
    return Outcome(
        generation=question.known.generation,
        documents=question.documents,
        policy_digest=question.policy.digest,
        ask_at=now + timedelta(seconds=seconds),
        answer=answer,
        failure=clipped(why),
        reason=reason,
        failures=failures + 1,
    )


def renewal(question: Question, held: Certificate) -> datetime:
    """When a certificate found in a status has reached half of its life, with its jitter."""
    statement = held.statement
    half = statement.issued_at + (statement.expires_at - statement.issued_at) / 2
    return half + spread(question, held)


def spread(question: Question, held: Certificate) -> timedelta:
    """A delay that is the same at every look and differs between models and policies."""
    seed = f"{question.model}|{question.policy.ref}|{held.certificate_id}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 2**32
    half = (held.statement.expires_at - held.statement.issued_at) / 2
    return half * (JITTER * share)


def check_certificate(held: Certificate, question: Question) -> None:
    """Raise SubjectMismatch unless the certificate is about exactly this question."""
    certificate.check_subject(
        held.statement,
        namespace=question.model.namespace,
        model=question.model.name,
        manifest_digest=question.known.model.manifest_digest if question.known.model else "",
        policy=question.policy.ref,
        policy_digest=question.policy.digest,
    )


def _requirement(result: RequirementResult) -> RequirementStatus:
    fix = f" (fix: {result.fix})" if result.fix else ""
    return RequirementStatus(
        name=result.name,
        status=result.status,
        reason=clipped(result.reason, 128),
        message=clipped(result.message + fix),
    )


def _outcome(question: Question, ask_at: datetime, answer: Answer) -> Outcome:
    generation, documents = question.known.generation, question.documents
    return Outcome(generation, documents, question.policy.digest, ask_at, answer)
