"""Does this model's evidence hold this policy, now? The decision every member makes for itself.

Monotonic: a requirement holds only if a valid document shows it, whatever else is valid; and a
FAILED result at least as new as the newest PASSED one denies.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import limits
from quorate.api.v1alpha1 import AttestedModel
from quorate.canonical import digest_of, parse
from quorate.errors import QuorateError, SignatureError
from quorate.evidence import dsse
from quorate.evidence.intoto import GateResult, Outcome, parse_statement, verify_gate
from quorate.evidence.intoto.test_result import PREDICATE_TYPE, parse_predicate
from quorate.evidence.model_signing import verify_bundles
from quorate.manifest import Manifest
from quorate.policy.compiled import CompiledGate, CompiledPolicy
from quorate.verdict import Denial, Reason, Verdict

SIGNED = "Signed"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a policy and how the model stands. ``denial`` is None if it holds."""

    name: str
    denial: Denial | None
    shown_by: tuple[str, ...] = ()
    """Digests of the documents that show it."""
    not_after: datetime | None = None
    """When what shows it stops counting."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every requirement of one policy for one model, and the manifest the signatures name."""

    requirements: tuple[Requirement, ...]
    manifest: Manifest | None

    @property
    def verdict(self) -> Verdict:
        """Allowed only if every requirement holds."""
        return Verdict(tuple(r.denial for r in self.requirements if r.denial is not None))

    @property
    def evidence(self) -> tuple[str, ...]:
        """Digests of all documents that were needed, sorted."""
        return tuple(sorted({digest for r in self.requirements for digest in r.shown_by}))

    @property
    def not_after(self) -> datetime | None:
        """When the first requirement stops holding by age; None if none ages."""
        ends = [r.not_after for r in self.requirements if r.not_after is not None]
        return min(ends, default=None)


def evaluate(policy: CompiledPolicy, model: AttestedModel, now: datetime) -> Evaluation:
    """Judge ``model`` under ``policy``. Never raises for evidence: what is wrong is a denial.

    A policy that names no signers still needs one that does (see quorate.policy.intersect); here
    its signature requirement is absent, not met.
    """
    requirements: list[Requirement] = []
    manifest: Manifest | None = None
    if policy.signers is not None:
        signed, manifest = _signed(policy, model)
        requirements.append(signed)
    requirements += [_gate(policy, gate, model, now) for gate in policy.gates]
    return Evaluation(tuple(requirements), manifest)


def _signed(policy: CompiledPolicy, model: AttestedModel) -> tuple[Requirement, Manifest | None]:
    assert policy.signers is not None  # noqa: S101 - the caller looked
    spec = model.spec
    fix = f"quorate sign DIR --key KEY, then add the bundle to {model.ref}.spec.signatures"

    def denied(reason: Reason, message: str) -> tuple[Requirement, None]:
        return Requirement(SIGNED, _denial(policy, SIGNED, reason, message, fix)), None

    if not spec.signatures:
        return denied(Reason.NOT_SIGNED, "the model has no signature")
    bundles = [signature.bundle.encode("utf-8") for signature in spec.signatures]
    try:
        signed = verify_bundles(bundles, policy.signers.keys, policy.signers.threshold)
    except SignatureError as error:
        return denied(Reason.SIGNER_NOT_TRUSTED, str(error))
    except QuorateError as error:
        return denied(Reason.SIGNATURE_INVALID, str(error))
    if signed.manifest.digest != spec.manifest_digest:
        return denied(
            Reason.MANIFEST_MISMATCH,
            f"the signatures are for {signed.manifest.digest}, "
            f"spec.manifestDigest says {spec.manifest_digest}",
        )
    shown_by = tuple(digest_of(parse(bundles[index])) for index in signed.counted)
    return Requirement(SIGNED, None, shown_by), signed.manifest


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One statement as it stands under one gate: a denial, or a result that counts."""

    denial: Denial | None
    result: GateResult | None = None
    digest: str = ""


# What a person can act on best comes first when no statement shows a gate.
_TELLING = (
    Reason.GATE_FAILED,
    Reason.GATE_EXPIRED,
    Reason.GATE_OTHER_MODEL,
    Reason.GATE_UNTRUSTED,
    Reason.GATE_OTHER_SUITE,
    Reason.EVIDENCE_MALFORMED,
)


def _gate(
    policy: CompiledPolicy, gate: CompiledGate, model: AttestedModel, now: datetime
) -> Requirement:
    candidates = [
        _judge(policy, gate, model, evidence.envelope.encode("utf-8"), now)
        for evidence in model.spec.evidence
    ]
    passed = [c for c in candidates if c.denial is None and c.result is not None]
    failed = [c for c in candidates if c.denial and c.denial.reason is Reason.GATE_FAILED]
    newest = max(passed, key=_finished, default=None)
    if newest and all(_finished(c) < _finished(newest) for c in failed):
        age = timedelta(seconds=gate.spec.max_age_seconds)
        return Requirement(gate.requirement, None, (newest.digest,), _finished(newest) + age)
    denials = [c.denial for c in candidates if c.denial is not None]
    for reason in _TELLING:
        for denial in denials:
            if denial.reason is reason:
                return Requirement(gate.requirement, denial)
    message = f"no statement about gate {gate.spec.name}"
    return Requirement(
        gate.requirement, _gate_denial(policy, gate, model, Reason.GATE_MISSING, message)
    )


def _finished(candidate: _Candidate) -> datetime:
    assert candidate.result is not None  # noqa: S101 - passed and failed ones hold a result
    return candidate.result.finished_at


def _judge(
    policy: CompiledPolicy,
    gate: CompiledGate,
    model: AttestedModel,
    envelope: bytes,
    now: datetime,
) -> _Candidate:
    """How one statement stands under one gate."""

    def denied(reason: Reason, message: str, result: GateResult | None = None) -> _Candidate:
        return _Candidate(_gate_denial(policy, gate, model, reason, message), result)

    producers = gate.producers
    try:
        result = verify_gate(envelope, producers.keys, producers.threshold)
    except SignatureError as error:
        return _untrusted(
            gate,
            envelope,
            denied(Reason.GATE_UNTRUSTED, str(error)),
            denied(Reason.GATE_OTHER_SUITE, "no statement about an accepted suite"),
        )
    except QuorateError as error:
        return denied(Reason.EVIDENCE_MALFORMED, str(error))
    spec = gate.spec
    if model.spec.manifest_digest not in result.subjects:
        return denied(Reason.GATE_OTHER_MODEL, "the statement is about another model")
    for what, digest, accepted in (
        ("suite", result.suite, spec.suites),
        ("dataset", result.dataset, spec.datasets),
        ("harness", result.harness, spec.harnesses),
    ):
        if accepted and digest not in accepted:
            return denied(Reason.GATE_OTHER_SUITE, f"{what} {digest} is not accepted")
    if result.finished_at > now + timedelta(seconds=limits.CLOCK_SKEW):
        return denied(Reason.EVIDENCE_MALFORMED, f"finished in the future: {result.finished_at}")
    if result.result is not Outcome.PASSED:
        return denied(Reason.GATE_FAILED, f"the result is {result.result}", result)
    if result.finished_at + timedelta(seconds=spec.max_age_seconds) <= now:
        return denied(
            Reason.GATE_EXPIRED,
            f"finished at {result.finished_at.isoformat()}; at most {spec.max_age_seconds} s count",
        )
    return _Candidate(None, result, digest_of(parse(envelope)))


def _untrusted(
    gate: CompiledGate, envelope: bytes, for_this_gate: _Candidate, for_another: _Candidate
) -> _Candidate:
    """Which reason to show when no accepted producer signed. Unverified: it only words a DENY."""
    try:
        payload = dsse.parse(envelope).payload
        claimed = parse_predicate(parse_statement(payload, PREDICATE_TYPE).predicate)
    except QuorateError:
        return for_another
    return for_this_gate if claimed.suite in gate.spec.suites else for_another


def _gate_denial(
    policy: CompiledPolicy, gate: CompiledGate, model: AttestedModel, reason: Reason, message: str
) -> Denial:
    fix = (
        f"run the gate again, quorate gate --report REPORT --key KEY, "
        f"then add the envelope to {model.ref}.spec.evidence"
    )
    return _denial(policy, gate.requirement, reason, message, fix)


def _denial(
    policy: CompiledPolicy, requirement: str, reason: Reason, message: str, fix: str
) -> Denial:
    return Denial(
        reason,
        message,
        requirement=requirement,
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=fix,
    )
