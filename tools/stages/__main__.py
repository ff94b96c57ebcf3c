"""``make test``, ``make test-full`` and ``make bypass``: every stage, its minutes, and a clean end.

Go builds and the training environment are made behind the checks and the unit tests; there is one
cluster a run, and it goes down whatever happened.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.stages.background import Background

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
TRAINING_PYTHON = str(ROOT / ".venv-training" / "bin" / "python")
PYTEST = ("-m", "pytest", "-q", "--durations=5")
BYPASS = ("-p", "tests.bypass.report")
PROCESSES = ("tests/integration/consensus", "tests/integration/registry")
BACKGROUND_SECONDS = 45 * 60

_minutes: list[tuple[str, float]] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Announce a stage and note how long it took."""
    print(f"\n=== {name} ===", flush=True)
    started = time.monotonic()
    try:
        yield
    finally:
        minutes = (time.monotonic() - started) / 60
        _minutes.append((name, minutes))
        print(f"=== {name}: {minutes:.1f} min ===", flush=True)


def exit_code(*command: str, **environment: str) -> int:
    """Run a command of the project, whatever becomes of it."""
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode


def run(*command: str, **environment: str) -> None:
    """Run a command of the project; a failure ends the run with its exit code."""
    if code := exit_code(*command, **environment):
        sys.exit(code)


def offline_stages(full: bool) -> None:
    """What needs neither a cluster nor torch."""
    with stage("lint, types, import contracts, generated files"):
        run("make", "check")
    with stage("unit and property tests, a sample of the simulator"):
        folders = ("tests/unit", "tests/property", "tests/sim")
        selection = ("-m", "not cluster and not training", *folders)
        run(PYTHON, *PYTEST, "-n", "2", *selection)
    if full:
        with stage("simulator"):
            run("make", "sim")
        with stage("protocol bugs that must be noticed"):
            run("make", "sim-mutants")


@contextmanager
def cluster() -> Iterator[None]:
    """A cluster with the images, for a while."""
    try:
        with stage("cluster up"):
            run(PYTHON, "-m", "tools.cluster", "up")
        with stage("images"):
            run(PYTHON, "-m", "tools.images", "build")
            run(PYTHON, "-m", "tools.images", "load")
        yield
    finally:
        with stage("cluster down"):
            run(PYTHON, "-m", "tools.cluster", "down")


def process_stage() -> int:
    """Members, registries and their clients as processes, before a cluster takes the machine."""
    with stage("integration tests of members and registries"):
        # Their waits are longer than their work.
        spread = ("-n", "2", "--dist", "loadfile")
        return exit_code(PYTHON, *PYTEST, *spread, *PROCESSES)


def cluster_stages(full: bool) -> int:
    """What needs the cluster: contract, integration, bypass and end-to-end tests."""
    mode = {"QUORATE_TEST_FULL": "1"} if full else {}
    sample = () if full else ("-p", "tests.sample")
    with cluster():
        with stage("contract and integration tests"):
            left_out = (f"--ignore={folder}" for folder in PROCESSES)
            folders = ("tests/contract", "tests/integration")
            failed = exit_code(PYTHON, *PYTEST, *sample, *left_out, *folders, **mode)
        # First: the last of the end-to-end tests uninstalls. One run tells all that is wrong.
        with stage("bypass and end-to-end tests"):
            folders = ("tests/bypass", "tests/e2e")
            return exit_code(PYTHON, *PYTEST, *sample, *BYPASS, *folders, **mode) or failed


def bypass() -> None:
    """Every bypass class on a cluster of its own; a class without a test fails."""
    with cluster(), stage("bypass classes"):
        selection = ("-m", "bypass", "--bypass-complete", "tests/bypass", "tests/e2e")
        run(PYTHON, *PYTEST, *BYPASS, *selection)


def main() -> int:
    """Run the stages that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.stages", description=__doc__)
    parser.add_argument("what", choices=["test", "test-full", "bypass"])
    what = parser.parse_args().what
    if what == "bypass":
        bypass()
        return 0
    full = what == "test-full"
    logs = ROOT / "build" / "logs"
    waiting = [
        Background("Go builds", [PYTHON, "-m", "tools.cluster", "binaries"], logs / "binaries.log"),
        Background("training set-up", ["make", "venv-training"], logs / "training.log"),
    ]
    try:
        offline_stages(full)
        for background in waiting:
            with stage(f"waiting for {background.name}"):
                minutes = background.join(BACKGROUND_SECONDS) / 60
                print(f"{background.name} took {minutes:.1f} min in all")
        with stage("training tests"):
            run(TRAINING_PYTHON, *PYTEST, "-m", "training", "tests/unit")
        failed = process_stage()
        failed = cluster_stages(full) or failed
    finally:
        for background in waiting:
            background.stop()
        print("\n" + "\n".join(f"{minutes:6.1f} min  {name}" for name, minutes in _minutes))
    return failed


if __name__ == "__main__":
    sys.exit(main())
