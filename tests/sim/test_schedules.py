"""A fixed sample of simulated runs, and that runs replay. ``make sim`` runs many more."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sim.plan import REAL_KEYS, draw
from tests.sim.runner import run_chunk, summary
from tests.sim.simulation import run

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 1_200
PARTS = 6


@pytest.mark.requirement("committee: simulator, no wrong history")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_of_the_sample_is_wrong(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The checker finds nothing in the sample's runs, and they are runs in which things happen."""
    report = run_chunk(1 + part * SAMPLE // PARTS, SAMPLE // PARTS)
    with capsys.disabled():
        sys.stdout.write(f"\n{summary(report)}\n")
    assert report.failures == []
    assert report.approvals_acted_on > 100
    assert min(report.epochs, report.quarantines, report.freezes) > 3


@pytest.mark.requirement("committee: simulator, a seed replays")
def test_a_seed_replays() -> None:
    """Another process with other hashes tells the same story, to the letter."""
    command = [sys.executable, "-m", "tests.sim", "--verbose", "--seed"]
    for seed in ("7", "33", "35"):
        stories = [
            subprocess.run(
                [*command, seed],
                cwd=ROOT,
                env={"PYTHONHASHSEED": hashes},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for hashes in ("1", "2")
        ]
        assert stories[0] == stories[1]
        assert stories[0].count("\n") > 20


@pytest.mark.requirement("committee: simulator, no wrong history")
@pytest.mark.parametrize("seed", range(1, 6))
def test_with_real_keys_the_same_happens(seed: int) -> None:
    """Ed25519 instead of the symbolic scheme changes no fact of a run but the signatures."""
    plan = draw(seed)
    symbolic, real = run(plan), run(replace(plan, real_keys=True))
    assert (symbolic.facts, symbolic.acted, symbolic.quarantined) == (
        real.facts,
        real.acted,
        real.quarantined,
    )
    assert real.violations == ()


def test_some_runs_are_with_real_keys() -> None:
    """A small share, by the number."""
    assert draw(REAL_KEYS).real_keys
    assert not draw(REAL_KEYS + 1).real_keys
