"""gate: from a report to a signed verdict about one model."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quorate import limits
from quorate.errors import QuorateError
from quorate.evidence import intoto
from quorate.evidence.signatures import SignerSet
from quorate.keys import load_public_key
from quorate_cli.report import parse_report
from tests.unit.cli.conftest import Quorate

DIGEST = f"sha256:{'ab' * 32}"


def report(**fields: Any) -> dict[str, Any]:
    """A report that passes, with some fields replaced."""
    described = {
        name: {"name": name, "digest": {"sha256": f"0{index}" * 32}}
        for index, name in enumerate(("suite", "dataset", "harness"))
    }
    return {
        **described,
        "startedAt": "2026-01-31T11:59:00Z",
        "finishedAt": "2026-01-31T12:00:00Z",
        "result": "PASSED",
        "passedTests": ["toxicity", "leakage"],
        "failedTests": [],
        "metrics": {"refusal_rate": 0.97},
        **fields,
    }


def files_of(model: Path) -> dict[str, Any]:
    """The report's account of the files that were run."""
    return {
        "files": [
            {
                "name": str(path.relative_to(model)),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in model.rglob("*")
            if path.is_file()
        ]
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a report; returns the arguments that name it and the output."""

    def make(value: dict[str, Any]) -> list[object]:
        (tmp_path / "report.json").write_text(json.dumps(value))
        return ["--report", tmp_path / "report.json", "--out", tmp_path / "gate.json"]

    return make


def read_gate(path: Path, key: Path) -> intoto.GateResult:
    public = load_public_key(key.with_suffix(".pub").read_text())
    return intoto.verify_gate(path.read_bytes(), SignerSet((public,)))


def test_gate_says_what_the_report_said(
    quorate: Quorate, write: Any, model: Path, key: Path, tmp_path: Path
) -> None:
    """Result, digests, times, tests and metrics arrive in the envelope."""
    line = write(report(subject=files_of(model)))
    ran = quorate("gate", *line, "--model", model, "--key", key, "--output", "json")
    assert ran.code == 0, ran.err
    gate = read_gate(tmp_path / "gate.json", key)
    assert gate.subjects == {ran.document["manifestDigest"]}
    assert gate.result is intoto.Outcome.PASSED
    assert gate.suite == f"sha256:{'00' * 32}"
    assert gate.dataset == f"sha256:{'01' * 32}"
    assert gate.harness == f"sha256:{'02' * 32}"
    assert gate.passed_tests == ("toxicity", "leakage")
    assert gate.metrics == {"refusal_rate": 0.97}
    assert gate.finished_at.isoformat() == "2026-01-31T12:00:00+00:00"


@pytest.mark.requirement("a gate for another model is refused at the producer already")
@pytest.mark.parametrize("how", ["--model", "--bundle", "--manifest-digest"])
def test_report_about_other_files_is_not_signed(
    quorate: Quorate, write: Any, model: Path, key: Path, bundle: Path, tmp_path: Path, how: str
) -> None:
    """However the model is named, it must be the one that was run."""
    subject = files_of(model)
    (model / "config.json").write_text("{}")
    quorate("sign", model, "--key", key, "--out", bundle)
    named = {"--model": model, "--bundle": bundle, "--manifest-digest": DIGEST}[how]
    ran = quorate("gate", *write(report(subject=subject)), how, named, "--key", key)
    assert ran.code == 1
    assert "report.subject" in ran.err
    assert not (tmp_path / "gate.json").exists()


@pytest.mark.parametrize("how", ["--model", "--bundle", "--manifest-digest"])
def test_model_may_be_named_in_three_ways(
    quorate: Quorate, write: Any, model: Path, key: Path, bundle: Path, how: str
) -> None:
    """Directory, bundle and digest give the same subject."""
    line = write(report(subject=files_of(model)))
    expected = quorate("gate", *line, "--model", model, "--key", key, "--output", "json").document
    digest = expected["manifestDigest"]
    named = {"--model": model, "--bundle": bundle, "--manifest-digest": digest}[how]
    ran = quorate("gate", *line, how, named, "--key", key, "--output", "json")
    assert ran.document == expected


def test_unverified_bundle_needs_a_report_that_lists_files(
    quorate: Quorate, write: Any, key: Path, bundle: Path
) -> None:
    """A bundle nobody checked cannot alone say which model was run."""
    ran = quorate("gate", *write(report()), "--bundle", bundle, "--key", key)
    assert ran.code == 2
    assert "must list the files" in ran.err


def test_failed_result_is_signed_too(
    quorate: Quorate, write: Any, key: Path, tmp_path: Path
) -> None:
    """FAILED is evidence; the exit code says the signing worked."""
    line = write(report(result="FAILED", failedTests=["jailbreak"]))
    ran = quorate("gate", *line, "--manifest-digest", DIGEST, "--key", key)
    assert ran.code == 0
    assert "FAILED" in ran.out
    assert read_gate(tmp_path / "gate.json", key).failed_tests == ("jailbreak",)


MALFORMED: dict[str, dict[str, Any]] = {
    "passed with failures": {"failedTests": ["x"]},
    "passed without tests": {"passedTests": []},
    "unknown field": {"waiver": True},
    "no time": {"finishedAt": None},
    "time with offset": {"finishedAt": "2026-01-31T12:00:00+01:00"},
    "ends before it starts": {"finishedAt": "2026-01-31T11:00:00Z"},
    "unknown result": {"result": "OK"},
    "bad digest": {"suite": {"name": "s", "digest": {"sha256": "00"}}},
    "digest with newline": {"suite": {"name": "s", "digest": {"sha256": "00" * 32 + "\n"}}},
    "no digest": {"suite": {"name": "s"}},
    "empty subject": {"subject": {"files": []}},
    "bad file name": {"subject": {"files": [{"name": "../x", "sha256": "00" * 32}]}},
    "NaN": {"metrics": {"a": float("nan")}},
    "nested metrics": {"metrics": {"a": {"b": 1}}},
}


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_reports_are_not_signed(
    quorate: Quorate, write: Any, key: Path, tmp_path: Path, fields: dict[str, Any]
) -> None:
    """Bad input exits 2 and writes nothing."""
    ran = quorate("gate", *write(report(**fields)), "--manifest-digest", DIGEST, "--key", key)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert not (tmp_path / "gate.json").exists()


@pytest.mark.parametrize("digest", ["", "ab", "sha256:" + "AB" * 32])
def test_bad_manifest_digest_is_bad_input(
    quorate: Quorate, write: Any, key: Path, digest: str
) -> None:
    """A digest with a typing error is named as such."""
    ran = quorate("gate", *write(report()), "--manifest-digest", digest, "--key", key)
    assert ran.code == 2
    assert "--manifest-digest" in ran.err


def test_huge_report_is_refused(quorate: Quorate, key: Path, tmp_path: Path) -> None:
    """Reports are bounded like any evidence."""
    (tmp_path / "r").write_bytes(b" " * (limits.EVIDENCE_BYTES + 1))
    line = ("gate", "--report", tmp_path / "r", "--out", tmp_path / "g")
    assert quorate(*line, "--manifest-digest", DIGEST, "--key", key).code == 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.sampled_from([*sorted(report()), "subject"]), values)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_reports_with_foreign_values_are_read_or_refused(field: str, value: Any) -> None:
    """Any JSON value in any field of a report is InvalidInput or a run, never a crash."""
    data = json.dumps(report(**{field: value})).encode()
    try:
        run, _ = parse_report(data)
    except QuorateError:
        return
    assert run.suite.startswith("sha256:")


@given(st.binary(max_size=200))
def test_reports_of_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Bytes that are no report are refused in an orderly way."""
    with pytest.raises(QuorateError):
        parse_report(data)
