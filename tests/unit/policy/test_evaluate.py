"""Evidence under a policy: what holds, and the one reason shown when something does not."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome, read_document
from quorate.evidence.model_signing import sign_model, statement_of
from quorate.evidence.signatures import BUNDLE_TYPE
from quorate.manifest import manifest
from quorate.names import INTOTO_TYPE
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.verdict import Reason
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import Authority, der, pem
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
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


ROOT, INSTANCE = Authority("Root"), Instance()
SAN = x509.RFC822Name("owner@example.com")
CERTIFIED = {
    "certificates": [
        {"name": "owner", "ca": pem(ROOT.certificate), "subjectAlternativeName": SAN.value}
    ]
}


def judge_under(model: dict[str, Any], asked: dict[str, Any]) -> Evaluation:
    """Judge under a policy that asks this of the model."""
    compiled = compile_policy(read(ClusterSafetyPolicy, policy({"model": asked})))
    return evaluate(compiled, read(AttestedModel, model), NOW)


def test_a_certificate_bounds_how_long_a_model_is_certified() -> None:
    """What a certificate signed stops counting with it, whatever the gates' age."""
    key, certificate = ROOT.signer(SAN, not_after=NOW + timedelta(minutes=5))
    signed = sign_model(FILES, "demo", key, [certificate]).decode()
    model = attested_model(FILES, bundles=(signed,), gates=(GOOD_GATE,))
    result = judge_under(model, {"signers": CERTIFIED, "gates": [gate(LAB)]})
    assert result.verdict.allowed
    assert result.not_after == NOW + timedelta(minutes=5)


@pytest.mark.requirement("keyless: verified again by whoever judges, or denied")
def test_keyless_needs_a_judge_that_can_verify_it() -> None:
    """With Sigstore's client the model holds; without it the same evidence is a denial."""
    payload = statement_of(FILES, "demo").encode()
    model = attested_model(FILES, bundles=(json.dumps(INSTANCE.sign(payload)),))
    keyless = {
        "keyless": [{"name": "ci", "identity": IDENTITY, "issuer": ISSUER}],
        "trustedRoot": INSTANCE.trusted_root,
    }
    policy_document = policy({"model": {"signers": keyless}})
    compiled = compile_policy(read(ClusterSafetyPolicy, policy_document))
    attested = read(AttestedModel, model)
    assert evaluate(compiled, attested, NOW, sigstore=OfflineSigstore()).verdict.allowed
    assert reasons(evaluate(compiled, attested, NOW)) == [Reason.SIGNER_NOT_TRUSTED]


def test_shards_and_ignored_paths_are_the_policys_to_accept() -> None:
    """A signature that left something out, or hashed in shards, counts where the policy says so."""
    size = 65_536
    sharded = manifest([("weights:0:5", "c" * 64)], size)
    model = attested_model(sharded, bundles=(sign_model(sharded, "demo", OWNER).decode(),))
    refused = judge_under(model, {"signers": signers(OWNER)})
    assert reasons(refused) == [Reason.SIGNATURE_INVALID]
    assert "shards of 65536 bytes are not accepted" in refused.verdict.text()
    assert judge_under(model, {"signers": signers(OWNER), "shardSizes": [size]}).verdict.allowed


def certified_gate(gate_document: str, not_after: datetime) -> str:
    """The statement of a gate, signed with a certificate until then."""
    key, certificate = ROOT.signer(SAN, not_after=not_after)
    statement = base64.b64decode(json.loads(gate_document)["payload"])
    material = {"certificate": {"rawBytes": base64.b64encode(der(certificate)).decode()}}
    signature = key.sign(dsse.pae(INTOTO_TYPE, statement))
    return json.dumps(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": {
                "payload": base64.b64encode(statement).decode(),
                "payloadType": INTOTO_TYPE,
                "signatures": [{"sig": base64.b64encode(signature).decode()}],
            },
        }
    )


@pytest.mark.requirement("class 30: a gate's producer by certificate, and its end")
def test_producers_may_sign_with_certificates() -> None:
    """A gate signed with a certificate counts as long as the certificate."""
    signed = certified_gate(GOOD_GATE, NOW + timedelta(minutes=5))
    model = attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(signed,))
    asked = {"signers": signers(OWNER), "gates": [gate(LAB) | {"producers": CERTIFIED}]}
    result = judge_under(model, asked)
    assert result.verdict.allowed, result.verdict.text()
    assert result.not_after == NOW + timedelta(minutes=5)


def test_a_remembered_failure_outlives_its_producers_certificate() -> None:
    """A producer's certificate that expires does not bring back an older result that passed."""
    failed = gate_result(FILES, LAB, result=Outcome.FAILED, finished_at=NOW - timedelta(minutes=30))
    document = read_document(certified_gate(failed, NOW - timedelta(minutes=5)).encode())
    model = attested_model(FILES, bundles=(GOOD_BUNDLE,), gates=(GOOD_GATE,))
    producers = signers(LAB) | CERTIFIED
    asked = {"signers": signers(OWNER), "gates": [gate(LAB) | {"producers": producers}]}
    compiled = compile_policy(read(ClusterSafetyPolicy, policy({"model": asked})))
    attested = read(AttestedModel, model)
    assert evaluate(compiled, attested, NOW).verdict.allowed
    assert reasons(evaluate(compiled, attested, NOW, (document,))) == [Reason.GATE_FAILED]
