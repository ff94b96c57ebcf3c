"""The promotion example, run as it is written, against a server that behaves or does not."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate_cli.__main__ import main
from tests.fakes.openai_server import Respond, body_of, last, saying, serving
from tests.unit.evaluation.conftest import garak_entries, lines

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "02-promotion"
IMAGE = f"registry.example.com/models/demo@sha256:{'ab' * 32}"
GOOD = saying(lambda body: "not allowed" if len(body["messages"]) > 1 else f"Do {last(body)[:9]}")


def quorate(*words: object) -> None:
    """Run the command line in this process, which must succeed."""
    assert main([str(word) for word in words]) == 0


@dataclass
class Pipeline:
    """A model that its owner signed, the evaluator's key, and the script's settings."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        model, keys = self.root / "model", self.root
        model.mkdir()
        (model / "config.json").write_text('{"layers": 2}')
        for party in ("owner", "evaluator"):
            quorate("keygen", "--out", keys / party)
        quorate("sign", model, "--key", keys / "owner.key", "--out", keys / "bundle.json")
        commands = self.root / "bin"
        commands.mkdir()
        (commands / "quorate").write_text(f'#!/bin/sh\nexec {sys.executable} -m quorate_cli "$@"\n')
        (commands / "quorate").chmod(0o755)
        self.settings = {
            "MODEL": str(model),
            "BUNDLE": str(keys / "bundle.json"),
            "OWNER_PUB": str(keys / "owner.pub"),
            "EVALUATOR_KEY": str(keys / "evaluator.key"),
            "EVALUATOR_PUB": str(keys / "evaluator.pub"),
            "NAME": "demo",
            "NAMESPACE": "team-a",
            "IMAGE": IMAGE,
            "PATH": f"{commands}:{os.environ['PATH']}",
        }

    def run(self, respond: Respond, **change: str) -> subprocess.CompletedProcess[str]:
        """Run the script against a server that responds so."""
        with serving(respond) as server:
            return subprocess.run(
                [str(EXAMPLE / "promote.sh")],
                env=os.environ | self.settings | {"ENDPOINT": server.url} | change,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )

    @property
    def manifest(self) -> Path:
        """What would be applied."""
        return self.root / "out" / "attested-model.yaml"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A signed model and keys."""
    made = Pipeline(tmp_path_factory.mktemp("promotion"))
    made.prepare()
    return made


@pytest.fixture
def pipeline(prepared: Pipeline, tmp_path: Path) -> Pipeline:
    """A pipeline that is ready to promote, into a directory of its own."""
    return Pipeline(tmp_path, prepared.settings | {"OUT": str(tmp_path / "out")})


@pytest.mark.requirement("a CI example shows promotion that stops without gates")
def test_all_gates_passed_is_a_promotion(pipeline: Pipeline) -> None:
    """With every suite passed, the object to apply holds the signature and each result."""
    report = pipeline.root / "garak.report.jsonl"
    report.write_bytes(lines(garak_entries()))
    done = pipeline.run(GOOD, GARAK=str(report))
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = yaml.safe_load(pipeline.manifest.read_text())
    assert len(model["spec"]["evidence"]) == 3
    assert "may be promoted" in done.stdout
    again = pipeline.run(GOOD)
    assert again.returncode != 0  # an old run's results do not stand in for a new one's


@pytest.mark.requirement("a CI example shows promotion that stops without gates")
@pytest.mark.parametrize(
    ("respond", "stopped"),
    [
        (saying(lambda body: str(body["messages"][0]["content"])), "secret-leakage"),
        (body_of(b"{}", status=404), "secret-leakage red-team"),
    ],
    ids=["tells secrets", "no endpoint"],
)
def test_a_gate_that_does_not_pass_stops_it(
    pipeline: Pipeline, respond: Respond, stopped: str
) -> None:
    """Failed or without a result: nothing to apply is written, and the script says which."""
    done = pipeline.run(respond, SUITES="secret-leakage red-team")
    assert done.returncode == 1
    assert f"no pass of {stopped}" in done.stderr
    assert not pipeline.manifest.exists()


def test_results_by_another_key_stop_it(pipeline: Pipeline) -> None:
    """What was signed is verified with the public key that counts, not with the one at hand."""
    done = pipeline.run(GOOD, EVALUATOR_PUB=pipeline.settings["OWNER_PUB"], SUITES="red-team")
    assert done.returncode == 1
    assert not pipeline.manifest.exists()


def test_no_suites_is_no_promotion(pipeline: Pipeline) -> None:
    """An empty list of gates does not pass."""
    assert pipeline.run(GOOD, SUITES=" ").returncode == 2


def test_the_workflow_pins_its_actions() -> None:
    """Every action is named by a commit, and the workflow runs the script."""
    path = EXAMPLE / ".github" / "workflows" / "promotion.yaml"
    steps = yaml.safe_load(path.read_text())["jobs"]["promote"]["steps"]
    used = [step["uses"].partition("@")[2] for step in steps if "uses" in step]
    assert all(len(commit) == 40 and int(commit, 16) for commit in used)
    assert any("./promote.sh" in step.get("run", "") for step in steps)
