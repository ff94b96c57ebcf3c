"""Is a gate shown? Among the statements that it applies to, the newest decides.

A statement counts for a gate only if it is of the gate's type, about this model, about what the
gate accepts, and applies to the gate. It passes if it says so, the gate's condition holds, enough
producers signed and it is not too old. It fails if one accepted producer says so or the condition
does not hold: saying no takes one voice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from quorate import limits
from quorate.api.v1alpha1 import AttestedModel
from quorate.cel import Condition, ConditionError
from quorate.errors import QuorateError, SignatureError
from quorate.evidence.intoto import Document, Evidence, Facts, Outcome
from quorate.evidence.signatures import distinct, holds_until
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.compiled_gate import CompiledGate
from quorate.policy.denials import gate_denial
from quorate.policy.requirement import Requirement
from quorate.policy.verifier import Verifier
from quorate.verdict import Reason

Reading = Document | QuorateError
"""A document of the model, or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A verified statement that fails a gate: what must not be forgotten by withholding it."""

    gate: str
    """The requirement's name."""
    made_at: datetime
    document: Document


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One statement as it stands under one gate. Without a reason it passes."""

    reason: Reason | None = None
    message: str = ""
    facts: Facts | None = None
    document: Document | None = None
    signed_until: datetime | None = None
    """When too few of its signatures count any more; None if never."""

    @property
    def failed(self) -> bool:
        return self.reason is Reason.GATE_FAILED and self.facts is not None

    @property
    def made_at(self) -> datetime:
        assert self.facts is not None  # noqa: S101 - what passed or failed has been read
        return self.facts.made_at


# What a person can act on best comes first when no statement shows a gate.
_TELLING = (
    Reason.GATE_FAILED,
    Reason.GATE_EXPIRED,
    Reason.GATE_OTHER_MODEL,
    Reason.GATE_UNTRUSTED,
    Reason.GATE_OTHER_SCOPE,
    Reason.GATE_OTHER_SUITE,
    Reason.EVIDENCE_MALFORMED,
)


def judge_gate(
    policy: CompiledPolicy,
    gate: CompiledGate,
    model: AttestedModel,
    readings: Sequence[Reading],
    remembered: Sequence[Document],
    verifier: Verifier,
) -> tuple[Requirement, Failure | None]:
    """How the model stands under ``gate``, and the newest statement that fails it, if any.

    ``remembered`` statements can fail a gate and never pass it.
    """
    shown = [_candidate(gate, model, reading, verifier) for reading in readings]
    candidates = [candidate for candidate in shown if candidate is not None]
    passed = [c for c in candidates if c.reason is None]
    failed = [c for c in candidates if c.failed]
    newest = max(passed, key=lambda c: c.made_at, default=None)
    told_of = {c.document.digest for c in failed if c.document is not None}
    unseen = [document for document in remembered if document.digest not in told_of]
    failures = failed + _remembered(gate, model, unseen, verifier)
    last = max(failures, key=lambda c: c.made_at, default=None)
    failure = _failure(gate, failures, verifier.context.now)
    if newest and (last is None or last.made_at < newest.made_at):
        return _held(gate, newest), failure
    if last is not None and last not in failed:
        candidates.append(last)
    told = min(candidates, key=_rank, default=None)
    reason = (told.reason if told else None) or Reason.GATE_MISSING
    message = told.message if told else f"no {gate.type.title} about gate {gate.spec.name}"
    return Requirement(gate.requirement, gate_denial(policy, gate, model, reason, message)), failure


def _rank(candidate: _Candidate) -> int:
    return _TELLING.index(candidate.reason) if candidate.reason else len(_TELLING)


def _failure(gate: CompiledGate, candidates: Iterable[_Candidate], now: datetime) -> Failure | None:
    """The newest failure that is not dated ahead, which would hide others from being remembered."""
    latest = now + timedelta(seconds=limits.CLOCK_SKEW)
    found = [c for c in candidates if c.document is not None and c.made_at <= latest]
    newest = max(found, key=lambda c: c.made_at, default=None)
    if newest is None or newest.document is None:
        return None
    return Failure(gate.requirement, newest.made_at, newest.document)


def _held(gate: CompiledGate, newest: _Candidate) -> Requirement:
    assert newest.document is not None  # noqa: S101 - it passed
    assert newest.facts is not None  # noqa: S101 - it passed
    end = newest.made_at + timedelta(seconds=gate.spec.max_age_seconds)
    if newest.facts.expires_at is not None:
        end = min(end, newest.facts.expires_at)
    if newest.signed_until is not None:
        end = min(end, newest.signed_until)
    return Requirement(gate.requirement, None, (newest.document.digest,), end)


def _remembered(
    gate: CompiledGate,
    model: AttestedModel,
    remembered: Iterable[Document],
    verifier: Verifier,
) -> list[_Candidate]:
    """Failures among what the model does not show, or shows when it would not count any more."""
    found = []
    for document in remembered:
        candidate = _candidate(gate, model, document, verifier)
        if candidate is None or not candidate.failed:
            candidate = _candidate(gate, model, document, _as_it_was(gate, document, verifier))
        if candidate is not None and candidate.failed:
            message = (
                f"{candidate.message}; that result of {candidate.made_at.isoformat()} is "
                f"remembered: only a newer one that passes lifts it"
            )
            found.append(
                _Candidate(Reason.GATE_FAILED, message, candidate.facts, candidate.document)
            )
    return found


def _as_it_was(gate: CompiledGate, document: Document, verifier: Verifier) -> Verifier:
    """Judging when the statement says it was made: a failure that counted once is not forgotten
    because its producer's certificate has expired since."""
    try:
        made_at = gate.type.read(document.statement.predicate).made_at
    except QuorateError:
        return verifier
    context = verifier.context
    return Verifier(replace(context, now=min(made_at, context.now)))


def _candidate(
    gate: CompiledGate, model: AttestedModel, reading: Reading, verifier: Verifier
) -> _Candidate | None:
    """How one statement stands; None for one of another type, which is not looked at."""
    if isinstance(reading, QuorateError):
        return _Candidate(Reason.EVIDENCE_MALFORMED, str(reading))
    if reading.statement.predicate_type != gate.spec.predicate_type:
        return None
    try:
        evidence = verifier.evidence(reading, gate)
    except SignatureError as error:
        return _untrusted(gate, reading, str(error))
    except QuorateError as error:
        return _Candidate(Reason.EVIDENCE_MALFORMED, str(error))
    facts = evidence.facts
    reason, message = (
        _other(gate, model, evidence)
        or _not_passed(gate, evidence)
        or _not_now(gate, evidence, verifier.context.now)
    ) or (None, "")
    until = None if reason else holds_until(evidence.signatures, gate.producers.threshold)
    return _Candidate(reason, message, facts, reading, until)


_Denied = tuple[Reason, str] | None


def _other(gate: CompiledGate, model: AttestedModel, evidence: Evidence) -> _Denied:
    """Why the statement is about something else."""
    if model.spec.manifest_digest not in evidence.subjects:
        return Reason.GATE_OTHER_MODEL, "the statement is about another model"
    facts, spec = evidence.facts, gate.spec
    for what, digests, accepted in (
        ("suite", facts.suites, spec.suites),
        ("dataset", {facts.dataset}, spec.datasets),
        ("harness", {facts.harness}, spec.harnesses),
    ):
        if accepted and digests.isdisjoint(accepted):
            named = ", ".join(sorted(digest or "none" for digest in digests)) or "none"
            return Reason.GATE_OTHER_SUITE, f"{what} {named} is not accepted"
    if facts.gates is not None and spec.name not in facts.gates:
        return Reason.GATE_OTHER_SCOPE, f"it is for {', '.join(sorted(facts.gates))} only"
    if facts.namespaces and model.metadata.namespace not in facts.namespaces:
        named = ", ".join(sorted(facts.namespaces))
        return Reason.GATE_OTHER_SCOPE, f"it is for the namespaces {named} only"
    if gate.applies_to is None:
        return None
    holds, why = _holds(gate.applies_to, evidence)
    if why:
        return Reason.EVIDENCE_MALFORMED, f"appliesTo has no answer: {why}"
    return None if holds else (Reason.GATE_OTHER_SUITE, "appliesTo does not hold of it")


def _not_passed(gate: CompiledGate, evidence: Evidence) -> _Denied:
    """Why the statement fails the gate."""
    facts = evidence.facts
    if facts.result is not Outcome.PASSED:
        what = f" ({', '.join(facts.failures)[:300]})" if facts.failures else ""
        return Reason.GATE_FAILED, f"the result is {facts.result}{what}"
    if gate.condition is None:
        return None
    holds, why = _holds(gate.condition, evidence)
    if why:
        return Reason.GATE_FAILED, f"the condition has no answer: {why}"
    message = f"the condition does not hold: {gate.condition.text[:300]}"
    return None if holds else (Reason.GATE_FAILED, message)


def _not_now(gate: CompiledGate, evidence: Evidence, now: datetime) -> _Denied:
    """Why a statement that passes does not count, or no longer."""
    facts, producers = evidence.facts, gate.producers
    people = len(distinct(evidence.signatures))
    if people < producers.threshold:
        return Reason.GATE_UNTRUSTED, (
            f"{people} of {producers.size} accepted signers signed; {producers.threshold} must"
        )
    if facts.made_at > now + timedelta(seconds=limits.CLOCK_SKEW):
        return Reason.EVIDENCE_MALFORMED, f"made in the future: {facts.made_at.isoformat()}"
    if facts.expires_at is not None and facts.expires_at <= now:
        return Reason.GATE_EXPIRED, f"expired at {facts.expires_at.isoformat()}"
    if facts.made_at + timedelta(seconds=gate.spec.max_age_seconds) <= now:
        return Reason.GATE_EXPIRED, (
            f"made at {facts.made_at.isoformat()}; at most {gate.spec.max_age_seconds} s count"
        )
    return None


def _holds(condition: Condition, evidence: Evidence) -> tuple[bool, str]:
    """Whether it holds, and why there is no answer if so."""
    try:
        return condition.holds(evidence.predicate), ""
    except ConditionError as error:
        return False, str(error)


def _untrusted(gate: CompiledGate, document: Document, why: str) -> _Candidate:
    """No accepted producer signed. What the statement claims only words the DENY."""
    other = _Candidate(Reason.GATE_OTHER_SUITE, "no statement about an accepted suite")
    try:
        claimed = gate.type.read(document.statement.predicate)
    except QuorateError:
        return other
    if gate.spec.suites and claimed.suites.isdisjoint(gate.spec.suites):
        return other
    return _Candidate(Reason.GATE_UNTRUSTED, why)
