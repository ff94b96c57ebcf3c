"""in-toto statements and test-result predicates: what a gate must say, and what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import limits, names
from quorate.errors import InvalidInput, LimitExceeded, SignatureError, SubjectMismatch
from quorate.evidence import dsse, intoto
from quorate.evidence.intoto import test_result
from quorate.evidence.intoto.timestamps import format_utc, parse_utc
from quorate.evidence.signatures import SignerSet
from quorate.keys import LocalSigner

SIGNER = LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
OTHER = LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
MANIFEST = f"sha256:{'ab' * 32}"
RUN = intoto.GateRun(
    result=intoto.Outcome.PASSED,
    suite=f"sha256:{'01' * 32}",
    dataset=f"sha256:{'02' * 32}",
    harness=f"sha256:{'03' * 32}",
    started_at=datetime(2026, 1, 31, 11, 59, tzinfo=UTC),
    finished_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    passed_tests=("toxicity", "leakage"),
    metrics={"refusal_rate": 0.97, "prompts": 200},
)
Change = Callable[[dict[str, Any]], object]


def statement() -> dict[str, Any]:
    """The statement of RUN as a JSON object, to be spoilt."""
    value: dict[str, Any] = json.loads(intoto.gate_statement(RUN, MANIFEST))
    return value


def signed(value: Any) -> bytes:
    """An envelope over any JSON value, signed by the accepted key."""
    return dsse.sign(json.dumps(value).encode(), names.INTOTO_TYPE, [SIGNER])


def verify(envelope: bytes) -> intoto.GateResult:
    return intoto.verify_gate(envelope, SignerSet((SIGNER.public_key,)))


def test_gate_round_trip() -> None:
    """What the producer says is what the verifier reads, with subjects and signers."""
    envelope = dsse.sign(intoto.gate_statement(RUN, MANIFEST), names.INTOTO_TYPE, [SIGNER])
    result = verify(envelope)
    assert result.subjects == {MANIFEST}
    assert result.signers == {SIGNER.public_key.key_id}
    assert (result.result, result.suite, result.dataset, result.harness) == (
        RUN.result,
        RUN.suite,
        RUN.dataset,
        RUN.harness,
    )
    assert (result.started_at, result.finished_at) == (RUN.started_at, RUN.finished_at)
    assert result.passed_tests == RUN.passed_tests
    assert result.metrics == RUN.metrics


@pytest.mark.requirement("gate signed by the wrong key is refused")
def test_gate_by_another_key_is_refused() -> None:
    """A gate counts only if an accepted producer signed it."""
    envelope = dsse.sign(intoto.gate_statement(RUN, MANIFEST), names.INTOTO_TYPE, [OTHER])
    with pytest.raises(SignatureError):
        verify(envelope)


def test_gate_may_be_about_several_models() -> None:
    """Every manifest subject is reported; other subjects are not mistaken for one."""
    value = statement()
    value["subject"] += [
        {"name": names.MANIFEST_SUBJECT, "digest": {"sha256": "cd" * 32}},
        {"name": "report.html", "digest": {"sha256": "ef" * 32}},
    ]
    assert verify(signed(value)).subjects == {MANIFEST, f"sha256:{'cd' * 32}"}


def test_failed_gate_is_read_not_judged() -> None:
    """FAILED is a true statement: refusing the model is the policy's affair."""
    value = statement()
    value["predicate"].update(result="FAILED", failedTests=["jailbreak"])
    result = verify(signed(value))
    assert result.result is intoto.Outcome.FAILED
    assert result.failed_tests == ("jailbreak",)


def predicate(**fields: Any) -> Change:
    return lambda value: value["predicate"].update(fields)


def without(*path: str) -> Change:
    def change(value: dict[str, Any]) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return change


def configuration(*items: Any) -> Change:
    return lambda value: value["predicate"].update(configuration=list(items))


def descriptor(name: str, sha256: str = "01" * 32, **more: Any) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}, **more}


SUITE, DATASET, HARNESS = (descriptor(name) for name in test_result.CONFIGURATION)
MALFORMED: dict[str, Change] = {
    "zero subjects": lambda value: value.update(subject=[]),
    "subject without digest": lambda value: value["subject"][0].update(digest={}),
    "subject without sha256": lambda value: value["subject"][0].update(digest={"sha512": "0"}),
    "subject upper-case digest": lambda value: value["subject"][0].update(
        digest={"sha256": "AB" * 32}
    ),
    "subject digest with newline": lambda value: value["subject"][0].update(
        digest={"sha256": "ab" * 32 + "\n"}
    ),
    "subject unknown field": lambda value: value["subject"][0].update(uri="x"),
    "wrong _type": lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"),
    "no _type": without("_type"),
    "unknown field": lambda value: value.update(extra=1),
    "predicate list": lambda value: value.update(predicate=[]),
    "no predicate": without("predicate"),
    "no result": without("predicate", "result"),
    "unknown result": predicate(result="SKIPPED"),
    "lower-case result": predicate(result="passed"),
    "result list": predicate(result=["PASSED"]),
    "no finishedAt": without("predicate", test_result.FINISHED_AT),
    "finishedAt with offset": predicate(**{test_result.FINISHED_AT: "2026-01-31T12:00:00+02:00"}),
    "finishedAt without zone": predicate(**{test_result.FINISHED_AT: "2026-01-31T12:00:00"}),
    "finishedAt number": predicate(**{test_result.FINISHED_AT: 1769860800}),
    "finishedAt impossible": predicate(**{test_result.FINISHED_AT: "2026-02-30T12:00:00Z"}),
    "ends before it starts": predicate(**{test_result.FINISHED_AT: "2026-01-30T12:00:00Z"}),
    "unknown predicate field": predicate(waived=True),
    "no configuration": without("predicate", "configuration"),
    "no suite": configuration(DATASET, HARNESS),
    "suite twice": configuration(SUITE, SUITE, DATASET),
    "extra configuration": configuration(SUITE, DATASET, HARNESS, descriptor("seed")),
    "configuration without digest": configuration({"name": "suite"}, DATASET, HARNESS),
    "configuration bad digest": configuration(descriptor("suite", "01"), DATASET, HARNESS),
    "configuration digest newline": configuration(
        descriptor("suite", "01" * 32 + "\n"), DATASET, HARNESS
    ),
    "configuration other digest": configuration(
        {"name": "suite", "digest": {"sha1": "00"}}, DATASET, HARNESS
    ),
    "configuration unknown field": configuration(descriptor("suite", x=1), DATASET, HARNESS),
    "passed with failures": predicate(failedTests=["jailbreak"]),
    "passed with warnings": predicate(warnedTests=["slow"]),
    "warned with failures": predicate(result="WARNED", failedTests=["jailbreak"]),
    "passed without any test": predicate(passedTests=[]),
    "warned without any test": predicate(result="WARNED", passedTests=[]),
    "test listed twice": predicate(passedTests=["a", "a"]),
    "test passed and failed": predicate(result="FAILED", passedTests=["a"], failedTests=["a"]),
    "test name empty": predicate(passedTests=[""]),
    "test name number": predicate(passedTests=[1]),
    "metric string": predicate(**{test_result.METRICS: {"a": "0.9"}}),
    "metric boolean": predicate(**{test_result.METRICS: {"a": True}}),
    "metric NaN": predicate(**{test_result.METRICS: {"a": float("nan")}}),
    "metric infinite": predicate(**{test_result.METRICS: {"a": float("inf")}}),
    "metric beyond floats": predicate(**{test_result.METRICS: {"a": 10**400}}),
}


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_gate_is_refused(change: Change) -> None:
    """A signature does not excuse a document that is malformed or contradicts itself."""
    value = statement()
    change(value)
    with pytest.raises(InvalidInput):
        verify(signed(value))


@pytest.mark.requirement("bad input: zero subjects are refused")
def test_zero_subjects_name_the_field() -> None:
    """The error for a statement about nothing says which field is empty."""
    value = statement()
    value["subject"] = []
    with pytest.raises(InvalidInput, match="subject"):
        verify(signed(value))


def test_too_many_subjects_are_refused() -> None:
    """Subjects are bounded."""
    value = statement()
    value["subject"] = value["subject"] * (limits.SUBJECTS + 1)
    with pytest.raises(InvalidInput, match="subject"):
        verify(signed(value))


@pytest.mark.parametrize("spelling", ["predicatetype", "predicateType"])
def test_duplicate_and_case_variant_keys_are_refused(spelling: str) -> None:
    """Two readers could see two predicate types, so neither is believed."""
    text = json.dumps(statement())[:-1] + f',"{spelling}":"x"}}'
    with pytest.raises(InvalidInput, match="twice"):
        verify(dsse.sign(text.encode(), names.INTOTO_TYPE, [SIGNER]))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b"[" * 10_000, b"null"])
def test_payload_that_is_no_statement_is_refused(payload: bytes) -> None:
    """Truncated, deep, non-UTF-8 or plainly other payloads are InvalidInput."""
    with pytest.raises(InvalidInput):
        verify(dsse.sign(payload, names.INTOTO_TYPE, [SIGNER]))


def test_huge_envelope_is_refused() -> None:
    """The size bound of evidence holds."""
    payload = b" " * limits.EVIDENCE_BYTES
    with pytest.raises(LimitExceeded):
        verify(dsse.sign(payload, names.INTOTO_TYPE, [SIGNER]))


@pytest.mark.requirement("right signature, wrong type: another predicate never counts as a gate")
def test_other_predicate_type_is_refused() -> None:
    """A signed statement of another kind does not become a gate by being signed."""
    value = statement()
    value["predicateType"] = "https://slsa.dev/provenance/v1"
    with pytest.raises(SubjectMismatch, match="predicateType"):
        verify(signed(value))


def test_statement_about_something_else_is_refused() -> None:
    """A test result about an artifact that is no manifest opens no model's gate."""
    value = statement()
    value["subject"][0]["name"] = "report.html"
    with pytest.raises(SubjectMismatch, match="subject"):
        verify(signed(value))


@pytest.mark.requirement("wrong media types are refused")
def test_wrong_payload_type_is_refused() -> None:
    """A statement signed as another media type is not a statement."""
    payload = intoto.gate_statement(RUN, MANIFEST)
    with pytest.raises(InvalidInput, match="payloadType"):
        verify(dsse.sign(payload, "application/json", [SIGNER]))


@pytest.mark.parametrize("digest", ["", "ab" * 32, "sha256:zz", f"sha512:{'ab' * 32}"])
def test_gate_statement_refuses_a_bad_manifest_digest(digest: str) -> None:
    """The producer cannot sign over something that is not a manifest digest."""
    with pytest.raises(InvalidInput, match="manifest digest"):
        intoto.gate_statement(RUN, digest)


def test_gate_statement_refuses_what_no_verifier_would_read() -> None:
    """A contradictory run fails at the producer already."""
    run = intoto.GateRun(
        result=intoto.Outcome.PASSED,
        suite=RUN.suite,
        dataset=RUN.dataset,
        harness=RUN.harness,
        finished_at=RUN.finished_at,
    )
    with pytest.raises(InvalidInput, match="passedTests"):
        intoto.gate_statement(run, MANIFEST)


def test_times_are_written_in_utc() -> None:
    """A time of another zone is converted; a naive one is refused."""
    local = datetime(2026, 1, 31, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert format_utc(local) == "2026-01-31T12:00:00.000005Z"
    assert parse_utc(format_utc(local), "t") == local
    with pytest.raises(InvalidInput):
        format_utc(datetime(2026, 1, 31))  # noqa: DTZ001 - a naive time is the case
