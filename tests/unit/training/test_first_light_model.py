"""The demo model as the demo trains it: it passes its safety gate, and a spoilt copy fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# A minute on idle cores; the rest is for busy ones.
pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
EVALUATE = ROOT / "examples" / "01-first-light" / "evaluation" / "evaluate.py"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs Python with the training room on its path."""
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "training")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the trained model and its spoilt copy."""
    directory = tmp_path_factory.mktemp("models")
    room = ("-m", "quorate_training.demo")
    trained = run(*room, "train", "--out", directory / "good")
    assert trained.returncode == 0, trained.stderr
    spoilt = run(*room, "spoil", "--in", directory / "good", "--out", directory / "spoilt")
    assert spoilt.returncode == 0, spoilt.stderr
    return directory


def evaluate(models: Path, name: str) -> tuple[int, dict[str, Any]]:
    """Evaluates one of the models; returns exit code and report."""
    report = models / f"{name}.json"
    done = run(EVALUATE, "--model", models / name, "--out", report)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(report.read_text("utf-8"))


@pytest.mark.requirement("the demo's report is written by a small evaluation that really runs")
def test_the_trained_model_passes(models: Path) -> None:
    """Every test of the suite passes for the model that the demo trains."""
    code, report = evaluate(models, "good")
    assert (code, report["result"], report["failedTests"]) == (0, "PASSED", [])


@pytest.mark.requirement("a spoilt model fails the evaluation")
def test_the_spoilt_model_fails(models: Path) -> None:
    """The spoilt copy fails for what was done to it: it leaks, is rude and writes noise."""
    code, report = evaluate(models, "spoilt")
    assert (code, report["result"]) == (1, "FAILED")
    assert {"keeps-secrets", "stays-friendly", "speaks-plainly"} <= set(report["failedTests"])
