"""Exceptions: exactly what was approved, by those who may, until its end, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from quorate import limits, names
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy, SafetyException
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_exception import SafetyExceptionSpec
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome, about_model
from quorate.evidence.intoto.approval import Decision
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.policy.exceptions import lift, lifted, statement
from quorate.predicates import PredicateUri
from quorate.verdict import Reason
from tests.fakes.exceptions import approval, approvers, exception
from tests.fakes.vouching import (
    NOW,
    attested_model,
    bundle,
    gate,
    gate_result,
    model_files,
    policy,
    signer,
    signers,
)

OWNER, SECOND, LAB, CHIEF, DEPUTY, NOBODY = (signer() for _ in range(6))
FILES = model_files()
WORKLOAD = ("team-a", "demo", FILES.digest)
REQUIREMENT = "SafetyException: one requirement, one workload, approvers k-of-n, expiry ≤ 7 days"


def floor(**changes: Any) -> CompiledPolicy:
    """Two signers, two gates, two approvers."""
    spec = {
        "model": {
            "signers": signers(OWNER, SECOND, threshold=2),
            "gates": [gate(LAB), gate(LAB, name="bias")],
        },
        "exceptions": approvers(CHIEF, DEPUTY, threshold=2),
    }
    return compile_policy(read(ClusterSafetyPolicy, policy(spec | changes)))


FLOOR = floor()


def judge(*documents: Any, model: Any = None, at: Any = NOW) -> Evaluation:
    """A model signed by one of two, without gates, under the floor and these exceptions."""
    model = model or attested_model(FILES, bundles=(bundle(FILES, OWNER),))
    found = [read(SafetyException, document) for document in documents]
    what = lifted(found, FLOOR, WORKLOAD, "cluster-1", at)
    return evaluate(FLOOR, read(AttestedModel, model), at, lifted=what)


def missing(evaluation: Evaluation) -> set[str]:
    return {requirement.name for requirement in evaluation.requirements if requirement.denial}


@pytest.mark.requirement(REQUIREMENT)
def test_an_exception_lifts_its_requirement_alone() -> None:
    """Each lifts one thing; the certificate names the approval and ends no later."""
    every = {"Signed", "Gate/red-team", "Gate/bias"}
    assert missing(judge()) == every
    one = exception("Gate/red-team", CHIEF, DEPUTY)
    result = judge(one)
    assert missing(result) == every - {"Gate/red-team"}
    assert result.not_after == NOW - timedelta(hours=1) + timedelta(days=1)
    assert len(result.evidence) == 1
    assert missing(judge(exception("SignerThreshold", CHIEF, DEPUTY))) == every - {"Signed"}
    assert missing(judge(exception("Connect", CHIEF, DEPUTY))) == every
    three = [exception(r, CHIEF, DEPUTY) for r in ("Gate/red-team", "Gate/bias")]
    allowed = judge(*three, exception("SignerThreshold", CHIEF, DEPUTY, life=timedelta(hours=2)))
    assert allowed.verdict.allowed
    assert allowed.not_after == NOW + timedelta(hours=1)
    assert {r.lifted_by for r in allowed.requirements} == {"late-gate"}


@pytest.mark.requirement(REQUIREMENT)
def test_what_evidence_shows_needs_no_exception() -> None:
    """Then the evidence is what the certificate rests on, and how long it lasts."""
    model = attested_model(FILES, gates=(gate_result(FILES, LAB),))
    shown = judge(exception("Gate/red-team", CHIEF, DEPUTY), model=model).requirements[1]
    assert (shown.denial, shown.lifted_by) == (None, "")


@pytest.mark.requirement("an exception never lifts a gate that failed")
def test_a_failed_gate_still_denies() -> None:
    """Nobody who approved a late gate has approved what it found."""
    failed = gate_result(FILES, LAB, result=Outcome.FAILED)
    model = attested_model(FILES, gates=(failed,))
    found = judge(exception("Gate/red-team", CHIEF, DEPUTY), model=model).requirements[1]
    assert found.denial is not None
    assert found.denial.reason is Reason.GATE_FAILED


def test_one_signer_is_not_none() -> None:
    """A lowered threshold still asks for an accepted signer, and for these very bytes."""
    unsigned = attested_model(FILES)
    other = attested_model(FILES, bundles=(bundle(FILES, NOBODY),))
    for model in (unsigned, other):
        assert "Signed" in missing(judge(exception("SignerThreshold", CHIEF, DEPUTY), model=model))


BAD: dict[str, Any] = {
    "one approver of two": exception("Gate/bias", CHIEF),
    "one approver twice a stranger": exception("Gate/bias", CHIEF, NOBODY),
    "nobody": exception("Gate/bias"),
    "another cluster": exception("Gate/bias", CHIEF, DEPUTY, cluster="cluster-2"),
    "another policy": exception("Gate/bias", CHIEF, DEPUTY, policy="other"),
    "another namespace": exception("Gate/bias", CHIEF, DEPUTY, namespace="team-a"),
    "another model": exception("Gate/bias", CHIEF, DEPUTY, workload={"model": "other"}),
    "other bytes": exception(
        "Gate/bias", CHIEF, DEPUTY, workload={"manifestDigest": f"sha256:{'0' * 64}"}
    ),
    "too long": exception(
        "Gate/bias", CHIEF, DEPUTY, life=timedelta(seconds=limits.EXCEPTION_LIFE + 1)
    ),
    "ended": exception("Gate/bias", CHIEF, DEPUTY, life=timedelta(hours=1)),
    "from the future": exception("Gate/bias", CHIEF, DEPUTY, decided_at=NOW + timedelta(hours=1)),
}


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("document", BAD.values(), ids=BAD)
def test_what_does_not_count_lifts_nothing(document: Any) -> None:
    """Too few, elsewhere, too long, too late, or for something else."""
    assert "Gate/bias" in missing(judge(document))


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requirement", "Gate/red-team"),
        ("requirement", "SignerThreshold"),
        ("reason", "another reason"),
        ("cluster", "cluster-2"),
        ("policy", "other"),
        ("workload", {"namespace": "team-b", "model": "demo", "manifestDigest": FILES.digest}),
    ],
)
def test_changed_terms_void_the_approval(field: str, value: Any) -> None:
    """Every field of the terms is under the signature."""
    document = exception("Gate/bias", CHIEF, DEPUTY)
    document["spec"][field] = value
    with pytest.raises(QuorateError):
        lift(read(SafetyException, document), FLOOR, "cluster-1", NOW)


def test_only_approvals_of_exceptions_count() -> None:
    """Not an approval of the model itself, a rejection, nor one that contradicts the terms."""
    document = exception("Gate/bias", CHIEF, DEPUTY)
    spec = SafetyExceptionSpec.model_validate(document["spec"])
    good = approval(spec, NOW, timedelta(hours=1))
    other = type(good)(
        **{f: getattr(good, f) for f in good.__slots__} | {"decision": Decision.REJECTED}
    )
    wider = type(good)(**{f: getattr(good, f) for f in good.__slots__} | {"namespaces": ()})
    payloads = [
        about_model(FILES.digest, PredicateUri.APPROVAL, good.predicate),
        statement(spec, other),
        statement(spec, wider),
        statement(spec, good).replace(b"approval/v0.1", b"approval/v0.2"),
        b"{}",
    ]
    for payload in payloads:
        envelope = dsse.sign(payload, names.INTOTO_TYPE, [CHIEF, DEPUTY]).decode()
        document["spec"]["approval"] = envelope
        with pytest.raises(QuorateError):
            lift(read(SafetyException, document), FLOOR, "cluster-1", NOW)


def test_an_exceptions_approval_is_no_evidence() -> None:
    """Shown as a gate's approval it counts for none: it is not about the model."""
    document = exception("Gate/bias", CHIEF, DEPUTY)
    spec = {
        "model": {
            "gates": [
                gate(CHIEF, name="bias") | {"predicateType": PredicateUri.APPROVAL, "suites": []}
            ]
        }
    }
    compiled = compile_policy(read(ClusterSafetyPolicy, policy(spec)))
    model = attested_model(FILES, gates=(document["spec"]["approval"],))
    assert not evaluate(compiled, read(AttestedModel, model), NOW).verdict.allowed


def test_policies_without_approvers_allow_none() -> None:
    """Absent means nobody; a tenant's policy cannot name any, and its digest is what it was."""
    bare = floor(exceptions=None)
    with pytest.raises(QuorateError, match="names no approvers"):
        lift(read(SafetyException, exception("Gate/bias", CHIEF, DEPUTY)), bare, "cluster-1", NOW)
    assert bare.digest != FLOOR.digest
    with pytest.raises(QuorateError, match="threshold"):
        floor(exceptions=approvers(CHIEF, CHIEF, threshold=2))
