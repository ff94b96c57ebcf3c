"""Evidence under a policy: what holds, and the one reason shown when something does not."""

from datetime import timedelta
from typing import Any

import pytest

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.evidence.intoto import Outcome
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.verdict import Reason
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

OWNER, OTHER, LAB, OTHER_LAB = signer(), signer(), signer(), signer()
FILES = model_files()
GOOD_BUNDLE = bundle(FILES, OWNER)
GOOD_GATE = gate_result(FILES, LAB)


def judge(model: dict[str, Any], **requirements: Any) -> Evaluation:
    spec = {"model": {"signers": signers(OWNER), "gates": [gate(LAB)]} | requirements}
    compiled = compile_policy(read(ClusterSafetyPolicy, policy(spec)))
    return evaluate(compiled, read(AttestedModel, model), NOW)


def reasons(evaluation: Evaluation) -> list[Reason]:
    return [denial.reason for denial in evaluation.verdict.denials]


@pytest.mark.requirement("a signed and gated model holds the policy")
def test_signed_and_gated_model_holds() -> None:
    """A model with the right signature and a fresh PASSED gate is allowed."""
    result = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(GOOD_GATE,)))
    assert result.verdict.allowed
    assert result.manifest == FILES
    assert len(result.evidence) == 2
    assert result.not_after == NOW - timedelta(hours=1) + timedelta(days=1)


SIGNATURE_CASES = [
    ("no signature", (), Reason.NOT_SIGNED),
    ("by a key that is not trusted", (bundle(FILES, OTHER),), Reason.SIGNER_NOT_TRUSTED),
    ("of other files", (bundle(model_files("9"), OWNER),), Reason.MANIFEST_MISMATCH),
    ("not a bundle", ("{}",), Reason.SIGNATURE_INVALID),
]


@pytest.mark.parametrize(
    ("bundles", "reason"), [c[1:] for c in SIGNATURE_CASES], ids=[c[0] for c in SIGNATURE_CASES]
)
@pytest.mark.requirement("a model nobody vouches for is refused")
def test_signature_denials(bundles: tuple[str, ...], reason: Reason) -> None:
    """Each way in which a signature does not count has its own reason, and a fix."""
    result = judge(attested_model(FILES, bundles=bundles, gates=(GOOD_GATE,)))
    assert reasons(result) == [reason]
    denial = result.verdict.denials[0]
    assert denial.policy == "ClusterSafetyPolicy/floor"
    assert "safety@example.com" in denial.owner
    assert denial.fix


GATE_CASES = [
    ("missing", (), Reason.GATE_MISSING),
    ("FAILED", (gate_result(FILES, LAB, result=Outcome.FAILED),), Reason.GATE_FAILED),
    ("WARNED", (gate_result(FILES, LAB, result=Outcome.WARNED),), Reason.GATE_FAILED),
    (
        "expired",
        (gate_result(FILES, LAB, finished_at=NOW - timedelta(days=2)),),
        Reason.GATE_EXPIRED,
    ),
    (
        "from the future",
        (gate_result(FILES, LAB, finished_at=NOW + timedelta(hours=1)),),
        Reason.EVIDENCE_MALFORMED,
    ),
    ("signed by the wrong key", (gate_result(FILES, OTHER_LAB),), Reason.GATE_UNTRUSTED),
    ("for another model", (gate_result(model_files("9"), LAB),), Reason.GATE_OTHER_MODEL),
    (
        "of another suite",
        (gate_result(FILES, LAB, suite=f"sha256:{'9' * 64}"),),
        Reason.GATE_OTHER_SUITE,
    ),
    ("malformed", ("[]",), Reason.EVIDENCE_MALFORMED),
    (
        "PASSED, but a newer one FAILED",
        (
            gate_result(FILES, LAB, finished_at=NOW - timedelta(hours=2)),
            gate_result(FILES, LAB, result=Outcome.FAILED),
        ),
        Reason.GATE_FAILED,
    ),
    (
        "PASSED and FAILED at the same instant",
        (GOOD_GATE, gate_result(FILES, LAB, result=Outcome.FAILED)),
        Reason.GATE_FAILED,
    ),
]


@pytest.mark.parametrize(
    ("gates", "reason"), [c[1:] for c in GATE_CASES], ids=[c[0] for c in GATE_CASES]
)
@pytest.mark.requirement(
    "gate missing, FAILED, expired, signed by the wrong key, or for another model: own reasons"
)
def test_gate_denials(gates: tuple[str, ...], reason: Reason) -> None:
    """Each way in which a gate does not count has its own reason."""
    result = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=gates))
    assert reasons(result) == [reason]
    assert result.verdict.denials[0].requirement == "Gate/red-team"


def test_newer_pass_after_failure_holds() -> None:
    """A gate that failed and was passed since holds."""
    old_failure = gate_result(
        FILES, LAB, result=Outcome.FAILED, finished_at=NOW - timedelta(hours=3)
    )
    result = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(old_failure, GOOD_GATE)))
    assert result.verdict.allowed


def test_other_evidence_does_not_harm_or_help() -> None:
    """A gate holds by its own statement, whatever else lies beside it."""
    gates = ("[]", gate_result(FILES, OTHER_LAB), GOOD_GATE)
    result = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=gates))
    assert result.verdict.allowed


@pytest.mark.requirement("the same key twice in a 2-of-n does not count twice")
def test_one_key_twice_is_one_signer() -> None:
    """Two bundles by one key do not meet a threshold of two; by two keys they do."""
    two = {"signers": signers(OWNER, OTHER, threshold=2)}
    once = judge(
        attested_model(FILES, bundles=(GOOD_BUNDLE, bundle(FILES, OWNER)), gates=(GOOD_GATE,)),
        **two,
    )
    assert reasons(once) == [Reason.SIGNER_NOT_TRUSTED]
    both = judge(
        attested_model(FILES, bundles=(GOOD_BUNDLE, bundle(FILES, OTHER)), gates=(GOOD_GATE,)),
        **two,
    )
    assert both.verdict.allowed


def test_gate_of_two_producers_needs_both() -> None:
    """A gate whose threshold is two is not passed by one producer."""
    two = {"gates": [gate(LAB, OTHER_LAB, threshold=2)]}
    one = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(GOOD_GATE,)), **two)
    assert reasons(one) == [Reason.GATE_UNTRUSTED]
    envelope = gate_result(FILES, LAB, OTHER_LAB)
    both = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(envelope,)), **two)
    assert both.verdict.allowed


def test_failure_signed_by_a_stranger_does_not_revoke() -> None:
    """Only an accepted producer can fail a gate: a stranger's FAILED is noise."""
    strangers = gate_result(FILES, OTHER_LAB, result=Outcome.FAILED)
    result = judge(attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(GOOD_GATE, strangers)))
    assert result.verdict.allowed


def test_a_broken_bundle_beside_a_good_one_does_not_harm() -> None:
    """What does not count neither spoils a met threshold nor stops the judging."""
    for junk in ("{}", "not json", bundle(FILES, OTHER)):
        result = judge(attested_model(FILES, bundles=(junk, GOOD_BUNDLE), gates=(GOOD_GATE,)))
        assert result.verdict.allowed
