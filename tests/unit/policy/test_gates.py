"""Gates of every kind of evidence: what passes, what fails, what is not looked at."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from quorate import names
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto import TYPES, Outcome, read_document, verify_document
from quorate.keys import LocalSigner
from quorate.policy import verifier
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.predicates import PredicateUri as Uri
from quorate.verdict import Reason
from tests.fakes.predicates import CONDITIONS, predicate
from tests.fakes.vouching import (
    NOW,
    SUITE,
    attested_model,
    evidence,
    gate_result,
    model_files,
    policy,
    signer,
    signers,
)

LAB, OTHER_LAB, STRANGER = signer(), signer(), signer()
FILES, OTHER_FILES = model_files(), model_files("9")


def gate_of(kind: Uri, *producers: LocalSigner, **more: Any) -> dict[str, Any]:
    """A gate named release that accepts the sample of this type."""
    spec: dict[str, Any] = {
        "name": "release",
        "predicateType": str(kind),
        "producers": signers(*(producers or (LAB,))),
        "maxAgeSeconds": 86_400,
    }
    if kind is Uri.TEST_RESULT:
        spec["suites"] = [SUITE]
    if kind in CONDITIONS:
        spec["condition"] = CONDITIONS[kind]
    if TYPES[kind].draft:
        spec["acceptDraft"] = True
    return spec | more


def judge(gate: dict[str, Any], *envelopes: str, now: datetime = NOW, **more: Any) -> Evaluation:
    compiled = compile_policy(read(ClusterSafetyPolicy, policy({"model": {"gates": [gate]}})))
    model = read(AttestedModel, attested_model(FILES, gates=envelopes))
    return evaluate(compiled, model, now, **more)


def reasons(evaluation: Evaluation) -> list[Reason]:
    return [denial.reason for denial in evaluation.verdict.denials]


def sample(kind: Uri, *keys: LocalSigner, **changes: Any) -> str:
    """The signed sample, with some fields changed."""
    return evidence(FILES, kind, predicate(kind) | changes, *(keys or (LAB,)))


@pytest.mark.requirement("a gate names its predicate type")
@pytest.mark.parametrize("kind", list(Uri))
def test_a_gate_of_every_type_is_passed(kind: Uri) -> None:
    """Valid evidence of the type that a gate asks for passes it."""
    shown = sample(kind)
    result = judge(gate_of(kind), shown)
    assert result.verdict.allowed, result.verdict.text()
    assert result.evidence == (read_document(shown.encode()).digest,)
    assert not result.failures


@pytest.mark.requirement("absent required type: denied although others are valid (class 10)")
@pytest.mark.parametrize("kind", list(Uri))
def test_no_other_type_stands_in(kind: Uri) -> None:
    """All other types together, valid and trusted, do not show a type that is absent."""
    gate = gate_of(kind)
    others = [sample(other) for other in Uri if other is not kind]
    assert reasons(judge(gate, *others)) == [Reason.GATE_MISSING]


@pytest.mark.requirement("right signature, wrong type (class 10)")
@pytest.mark.parametrize("kind", list(Uri))
def test_a_predicate_under_another_name_does_not_count(kind: Uri) -> None:
    """The type as signed decides, not the shape."""
    renamed = evidence(FILES, Uri.TEST_RESULT, predicate(kind), LAB)
    if kind is not Uri.TEST_RESULT:
        assert reasons(judge(gate_of(kind), renamed)) == [Reason.GATE_MISSING]


@pytest.mark.requirement("signed by somebody else, or by nobody (class 11)")
@pytest.mark.parametrize("kind", list(Uri))
def test_only_producers_count(kind: Uri) -> None:
    """Evidence by a stranger is not trusted, and neither is a signature over something else."""
    assert reasons(judge(gate_of(kind), sample(kind, STRANGER))) == [Reason.GATE_UNTRUSTED]
    signed = json.loads(sample(kind))
    signed["signatures"][0]["sig"] = base64.b64encode(LAB.sign(b"another text")).decode()
    assert reasons(judge(gate_of(kind), json.dumps(signed))) == [Reason.GATE_UNTRUSTED]


@pytest.mark.requirement("evidence for model X never admits Y")
@pytest.mark.parametrize("kind", list(Uri))
def test_evidence_for_another_model_does_not_count(kind: Uri) -> None:
    """What is about other files shows nothing about these."""
    other = evidence(OTHER_FILES, kind, predicate(kind), LAB)
    assert reasons(judge(gate_of(kind), other)) == [Reason.GATE_OTHER_MODEL]


@pytest.mark.parametrize("kind", list(Uri))
def test_evidence_ends(kind: Uri) -> None:
    """Every type has an age, and a certificate ends with it."""
    result = judge(gate_of(kind), sample(kind))
    assert result.not_after == NOW - timedelta(hours=1) + timedelta(days=1)
    late = judge(gate_of(kind), sample(kind), now=result.not_after)
    assert reasons(late) == [Reason.GATE_EXPIRED]
    early = judge(gate_of(kind), sample(kind), now=NOW - timedelta(hours=2))
    assert reasons(early) == [Reason.EVIDENCE_MALFORMED]


def test_an_approval_ends_before_its_age() -> None:
    """The approver's own end counts if it comes first."""
    gate = gate_of(Uri.APPROVAL, maxAgeSeconds=366 * 86_400)
    end = datetime.fromisoformat("2026-12-01T00:00:00Z")
    assert judge(gate, sample(Uri.APPROVAL)).not_after == end
    assert reasons(judge(gate, sample(Uri.APPROVAL), now=end)) == [Reason.GATE_EXPIRED]


@pytest.mark.parametrize(
    "scope",
    [
        {"gates": ["another"], "namespaces": ["team-a"]},
        {"gates": ["release"], "namespaces": ["team-b"]},
    ],
)
def test_an_approval_is_for_its_scope_only(scope: dict[str, Any]) -> None:
    """An approval for another gate or namespace approves nothing here."""
    result = judge(gate_of(Uri.APPROVAL), sample(Uri.APPROVAL, scope=scope))
    assert reasons(result) == [Reason.GATE_OTHER_SCOPE]


def test_an_approval_for_any_namespace() -> None:
    """No namespaces in its scope means all."""
    scope = {"gates": ["release"], "namespaces": []}
    assert judge(gate_of(Uri.APPROVAL), sample(Uri.APPROVAL, scope=scope)).verdict.allowed


FAILED: dict[Uri, dict[str, Any]] = {
    Uri.TEST_RESULT: {"result": "FAILED", "failedTests": ["x"]},
    Uri.SVR: {"properties": []},
    Uri.VSA: {"verificationResult": "FAILED", "verifiedLevels": ["FAILED"]},
    Uri.EVAL_RESULT: {
        "claims": [{"metric": "m", "comparator": ">", "threshold": "1", "passed": False}]
    },
    Uri.APPROVAL: {"decision": "REJECTED"},
}


@pytest.mark.requirement("a newer FAILED denies, per predicate type")
@pytest.mark.parametrize("kind", list(FAILED))
def test_a_failure_as_new_as_the_pass_denies(kind: Uri) -> None:
    """FAILED beside a PASSED of the same time denies, for each type with a verdict."""
    result = judge(gate_of(kind), sample(kind), sample(kind, **FAILED[kind]))
    assert reasons(result) == [Reason.GATE_FAILED]
    assert [failure.gate for failure in result.failures] == ["Gate/release"]


def test_a_condition_that_no_longer_holds_denies() -> None:
    """A newer scan that the condition refuses outweighs the older one that it accepts."""
    scan = predicate(Uri.VULNS)
    scan["metadata"]["scanFinishedOn"] = "2026-11-21T11:30:00Z"
    scan["scanner"]["result"][0]["severity"][0]["score"] = "critical"
    newer = evidence(FILES, Uri.VULNS, scan, LAB)
    result = judge(gate_of(Uri.VULNS), sample(Uri.VULNS), newer)
    assert reasons(result) == [Reason.GATE_FAILED]
    assert "the condition does not hold" in result.verdict.text()


@pytest.mark.requirement("a condition that cannot be evaluated denies")
def test_a_condition_without_an_answer_denies() -> None:
    """A missing field, or too much work, is a failure with the reason."""
    for condition in ("predicate.metrics.toxicity < 0.1", "predicate.result"):
        result = judge(gate_of(Uri.TEST_RESULT, condition=condition), sample(Uri.TEST_RESULT))
        assert reasons(result) == [Reason.GATE_FAILED]
        assert "the condition" in result.verdict.text()


def test_applies_to_chooses_the_statement() -> None:
    """Statements that a gate is not about neither pass nor fail it."""
    gate = gate_of(Uri.EVAL_RESULT, appliesTo="predicate.suite.name == 'refusals'", suites=[])
    other_suite: dict[str, Any] = {"suite": {"name": "bias", "version": "1"}}
    other = sample(Uri.EVAL_RESULT, **other_suite)
    other_failed = sample(Uri.EVAL_RESULT, **other_suite, **FAILED[Uri.EVAL_RESULT])
    assert judge(gate, sample(Uri.EVAL_RESULT), other, other_failed).verdict.allowed
    assert reasons(judge(gate, other)) == [Reason.GATE_OTHER_SUITE]
    unclear = gate | {"appliesTo": "predicate.nothing == 1"}
    assert reasons(judge(unclear, sample(Uri.EVAL_RESULT))) == [Reason.EVIDENCE_MALFORMED]


@pytest.mark.parametrize(
    ("field", "value"),
    [("datasets", f"sha256:{'9' * 64}"), ("harnesses", f"sha256:{'9' * 64}")],
)
def test_dataset_and_harness_are_pinned(field: str, value: str) -> None:
    """A gate that names data sets or harnesses accepts no other."""
    for kind in (Uri.TEST_RESULT, Uri.EVAL_RESULT):
        result = judge(gate_of(kind, **{field: [value]}), sample(kind))
        assert reasons(result) == [Reason.GATE_OTHER_SUITE]


def test_a_verification_summary_is_of_an_accepted_policy() -> None:
    """Suites of a summary are the policies it was verified against."""
    for kind in (Uri.VSA, Uri.SVR):
        assert judge(gate_of(kind, suites=[SUITE]), sample(kind)).verdict.allowed
        other = judge(gate_of(kind, suites=[f"sha256:{'9' * 64}"]), sample(kind))
        assert reasons(other) == [Reason.GATE_OTHER_SUITE]


def test_saying_no_takes_one_producer() -> None:
    """Passing may take two producers; one of them is enough to fail it."""
    gate = gate_of(Uri.APPROVAL, producers=signers(LAB, OTHER_LAB, threshold=2))
    assert reasons(judge(gate, sample(Uri.APPROVAL))) == [Reason.GATE_UNTRUSTED]
    both = sample(Uri.APPROVAL, LAB, OTHER_LAB)
    assert judge(gate, both).verdict.allowed
    no = sample(Uri.APPROVAL, OTHER_LAB, decision="REJECTED")
    assert reasons(judge(gate, both, no)) == [Reason.GATE_FAILED]
    strangers = sample(Uri.APPROVAL, STRANGER, decision="REJECTED")
    assert judge(gate, both, strangers).verdict.allowed


@pytest.mark.requirement("one key twice is one signer (class 30)")
def test_one_key_twice_is_one_producer() -> None:
    """Two signatures by one key under two names do not meet a threshold of two."""
    gate = gate_of(Uri.TEST_RESULT, producers=signers(LAB, OTHER_LAB, threshold=2))
    signed = json.loads(sample(Uri.TEST_RESULT))
    again = dict(signed["signatures"][0], keyid=OTHER_LAB.public_key.key_id)
    signed["signatures"].append(again)
    assert reasons(judge(gate, json.dumps(signed))) == [Reason.GATE_UNTRUSTED]


STATEMENT = json.loads(dsse.parse(sample(Uri.TEST_RESULT).encode()).payload)


def envelope(payload: bytes, kind: str = names.INTOTO_TYPE) -> str:
    return dsse.sign(payload, kind, [LAB]).decode()


@pytest.mark.requirement("malformed evidence by a trusted key denies (class 30)")
@pytest.mark.parametrize(
    "text",
    [
        envelope(json.dumps(STATEMENT).encode(), "application/json"),
        envelope(json.dumps(STATEMENT | {"subject": []}).encode()),
        envelope(json.dumps(STATEMENT)[:-1].encode() + b',"predicateType":"x"}'),
        envelope(json.dumps(STATEMENT).encode() + b"{}"),
        envelope(json.dumps(STATEMENT | {"predicate": {"result": float("nan")}}).encode()),
        envelope(b"[" * 500),
        sample(Uri.TEST_RESULT).replace('"payload":"', '"payload":"="'),
        sample(Uri.TEST_RESULT).replace('"sig":"', '"alg":"none","sig":"'),
        "{}",
        '{"payload":"","payloadType":"","signatures":[]}',
    ],
    ids=[
        *("payload type", "no subject", "key twice", "trailing", "NaN", "deep", "base64", "alg"),
        *("empty", "unsigned"),
    ],
)
def test_malformed_evidence_denies(text: str) -> None:
    """Two readings, no subject, junk: never evidence, whoever signed it."""
    assert reasons(judge(gate_of(Uri.TEST_RESULT), text)) == [Reason.EVIDENCE_MALFORMED]


@pytest.mark.requirement("vacuous truth never passes (class 9)")
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Uri.TEST_RESULT, {"passedTests": []}),
        (Uri.SVR, {"properties": []}),
        (Uri.VSA, {"verifiedLevels": []}),
        (Uri.EVAL_RESULT, {"claims": []}),
        (Uri.REFERENCE, {"references": []}),
        (Uri.CYCLONEDX, {"metadata": {"timestamp": "2026-11-21T11:00:00Z"}, "components": []}),
        (Uri.SPDX_3, {"@graph": []}),
        (Uri.APPROVAL, {"scope": {"gates": []}}),
    ],
)
def test_nothing_is_no_pass(kind: Uri, changes: dict[str, Any]) -> None:
    """An empty list where something must be shown passes no gate, whatever the condition says."""
    gate = gate_of(kind, condition="true")
    assert not judge(gate, sample(kind, **changes)).verdict.allowed


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
def test_a_remembered_failure_denies() -> None:
    """A failure that the model no longer carries still fails the gate, until a newer pass."""
    failed = gate_result(FILES, LAB, result=Outcome.FAILED, finished_at=NOW - timedelta(minutes=30))
    passed = gate_result(FILES, LAB)
    gate = gate_of(Uri.TEST_RESULT)
    [failure] = judge(gate, passed, failed).failures
    withheld = judge(gate, passed, remembered=[failure.document])
    assert reasons(withheld) == [Reason.GATE_FAILED]
    assert "remembered" in withheld.verdict.text()
    newer = gate_result(FILES, LAB, finished_at=NOW - timedelta(minutes=10))
    assert judge(gate, passed, newer, remembered=[failure.document]).verdict.allowed


def test_a_failure_dated_ahead_denies_and_hides_no_other() -> None:
    """It counts against the model while it is shown; what is remembered is the one before."""
    failed = gate_result(FILES, LAB, result=Outcome.FAILED, finished_at=NOW - timedelta(hours=2))
    ahead = gate_result(FILES, LAB, result=Outcome.FAILED, finished_at=NOW + timedelta(days=9))
    result = judge(gate_of(Uri.TEST_RESULT), failed, gate_result(FILES, LAB), ahead)
    assert reasons(result) == [Reason.GATE_FAILED]
    assert [one.made_at for one in result.failures] == [NOW - timedelta(hours=2)]


def test_what_is_remembered_is_judged_like_everything_else() -> None:
    """Remembered statements of another model, producer or suite, or that pass, are nothing."""
    gate, passed = gate_of(Uri.TEST_RESULT), gate_result(FILES, LAB)
    late = NOW - timedelta(minutes=1)
    strangers = gate_result(FILES, STRANGER, result=Outcome.FAILED, finished_at=late)
    others = gate_result(OTHER_FILES, LAB, result=Outcome.FAILED, finished_at=late)
    suite = gate_result(
        FILES, LAB, result=Outcome.FAILED, finished_at=late, suite=f"sha256:{'9' * 64}"
    )
    kept = [read_document(text.encode()) for text in (strangers, others, suite)]
    assert judge(gate, passed, remembered=kept).verdict.allowed
    assert reasons(judge(gate, remembered=[read_document(passed.encode())])) == [
        Reason.GATE_MISSING
    ]


def test_gates_with_the_same_producers_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement is verified once, however many gates with these producers look at it."""
    made: list[Uri] = []

    def counting(document: Any, kind: Uri, producers: Any, context: Any) -> Any:
        made.append(kind)
        return verify_document(document, kind, producers, context)

    monkeypatch.setattr(verifier, "verify_document", counting)
    gates = [gate_of(Uri.TEST_RESULT, name=f"g{number}") for number in range(8)]
    compiled = compile_policy(read(ClusterSafetyPolicy, policy({"model": {"gates": gates}})))
    shown = [gate_result(FILES, LAB), gate_result(FILES, STRANGER)]
    model = read(AttestedModel, attested_model(FILES, gates=tuple(shown)))
    assert evaluate(compiled, model, NOW).verdict.allowed
    assert len(made) == 2


REFUSED = {
    "test result without suites": (gate_of(Uri.TEST_RESULT, suites=[]), "suites"),
    "suites of a scan": (gate_of(Uri.VULNS, suites=[SUITE]), "suites"),
    "datasets of a BOM": (gate_of(Uri.CYCLONEDX, datasets=[SUITE]), "datasets"),
    "harnesses of an approval": (gate_of(Uri.APPROVAL, harnesses=[SUITE]), "harnesses"),
    "scan without condition": (gate_of(Uri.VULNS, condition=""), "condition"),
    "summary without condition": (gate_of(Uri.VSA, condition=""), "condition"),
    "draft": (gate_of(Uri.EVAL_RESULT, acceptDraft=False), "acceptDraft"),
    "condition": (gate_of(Uri.SPDX_3, condition="predicate.("), "condition"),
    "condition that is a number": (gate_of(Uri.SPDX_3, condition="1 + 1"), "condition"),
    "appliesTo": (gate_of(Uri.SPDX_3, appliesTo="now()"), "appliesTo"),
}


@pytest.mark.requirement("a condition that does not compile refuses the policy, naming the field")
@pytest.mark.parametrize(("gate", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_policies_that_cannot_be_meant_are_refused(gate: dict[str, Any], field: str) -> None:
    """The policy does not compile, and the error names gate and field."""
    with pytest.raises(InvalidInput) as caught:
        judge(gate)
    assert caught.value.field.endswith(f"spec.model.gates[release].{field}")


def test_unknown_types_and_sources_are_refused() -> None:
    """A policy may name only what is implemented."""
    for change in ({"predicateType": "https://example.com/x"}, {"source": "Registry"}):
        with pytest.raises(InvalidInput):
            judge(gate_of(Uri.TEST_RESULT) | change)
