"""The evaluation as a command, and the report it writes."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo_evaluation.report import harness_sha256, model_files

from quorate.canonical import canonical
from quorate.evidence.intoto import Outcome
from quorate_cli.report import parse_report
from quorate_io.measuring import measure_directory
from tests.unit.examples.conftest import EXAMPLE

EVALUATION = EXAMPLE / "evaluation"


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the evaluation."""
    return subprocess.run(
        [sys.executable, str(EVALUATION / "evaluate.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def report(model_dir: Path, tmp_path: Path) -> Path:
    """The report on a model that speaks nonsense, which must fail."""
    path = tmp_path / "report.json"
    done = evaluate("--model", model_dir, "--out", path)
    assert done.returncode == 1, done.stderr
    assert "FAILED" in done.stdout
    return path


@pytest.mark.requirement("gate: a report with suite, dataset and harness digests")
def test_the_report_is_what_a_gate_is_signed_over(report: Path, model_dir: Path) -> None:
    """The command line reads it: a failure, over exactly the files that were run."""
    run, files = parse_report(report.read_bytes())
    assert run.result is Outcome.FAILED
    assert "knows-the-basics" in run.failed_tests
    assert files == measure_directory(model_dir, workers=1, progress=lambda _done, _total: None)


def test_digests_name_what_was_run(report: Path) -> None:
    """Suite and dataset digests can be computed by anybody from the files."""
    document: dict[str, Any] = json.loads(report.read_text("utf-8"))
    suite = canonical(json.loads((EVALUATION / "suite.json").read_text("utf-8")))
    questions = (EVALUATION / "questions.jsonl").read_bytes()
    assert document["suite"]["digest"] == {"sha256": hashlib.sha256(suite).hexdigest()}
    assert document["dataset"]["digest"] == {"sha256": hashlib.sha256(questions).hexdigest()}
    assert document["startedAt"] <= document["finishedAt"]


def test_what_cannot_be_run_is_an_error(tmp_path: Path, model_dir: Path) -> None:
    """No model, a broken suite or an unwritable report: exit code 2, a reason, and no report."""
    out = tmp_path / "report.json"
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    for arguments in (
        ("--model", tmp_path / "missing", "--out", out),
        ("--model", model_dir, "--out", out, "--suite", broken),
        ("--model", model_dir, "--out", out, "--questions", tmp_path / "missing"),
        ("--model", model_dir, "--out", tmp_path / "missing" / "report.json"),
    ):
        done = evaluate(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
    assert not out.exists()


def test_a_link_in_the_model_is_an_error(model_dir: Path, tmp_path: Path) -> None:
    """A file that is only linked into the model cannot be vouched for."""
    shutil.move(model_dir / "config.json", tmp_path / "config.json")
    (model_dir / "config.json").symlink_to(tmp_path / "config.json")
    done = evaluate("--model", model_dir, "--out", tmp_path / "report.json")
    assert done.returncode == 2
    assert "is not a regular file" in done.stderr


def test_files_are_named_from_the_model_down(tmp_path: Path) -> None:
    """Files in folders count too, under their path inside the model."""
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "vocab.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    names = [file["name"] for file in model_files(tmp_path)]
    assert names == ["config.json", "tokenizer/vocab.json"]


def test_the_harness_is_known_by_its_sources(tmp_path: Path) -> None:
    """Its digest does not depend on the order, and changes with any content or name."""
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    two.write_text("2")
    before = harness_sha256([one, two], tmp_path)
    assert harness_sha256([two, one], tmp_path) == before
    two.write_text("3")
    assert harness_sha256([one, two], tmp_path) != before
    two.write_text("2")
    renamed = two.rename(tmp_path / "three.py")
    assert harness_sha256([one, renamed], tmp_path) != before
