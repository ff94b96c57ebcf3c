"""The mutation gate: one bug at a time in a copy of the tree, and who notices.

``python -m tests.sim.mutation`` asks the simulator first and then the unit tests of the module, and
writes ``build/sim-mutants.json``. A bug that neither notices within a minute, or that fits nowhere
any more, fails.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.sim.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 60.0
SIMULATED_SECONDS = 20.0
"""Of which the simulator gets so many at the most; the unit tests the rest."""
COPIED = ("core", "tests/sim", "tests/fakes", "tests/unit/consensus", "consensus", "pyproject.toml")
PROTOCOL = Path("core/quorate/consensus")
SPECIFIC = {"signing": "approval", "member": "freeze_in_flight"}


@dataclass(frozen=True, slots=True)
class Catch:
    """One line of the report. ``by``: what noticed; empty if nothing did."""

    mutant: str
    caught: bool
    seconds: float
    by: str


def apply(mutant: Mutant, tree: Path) -> None:
    """Put the bug into ``tree``. Raises ValueError unless it fits in exactly one place."""
    path = tree / PROTOCOL / mutant.file
    source = path.read_text("utf-8")
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: fits in {source.count(mutant.old)} places")
    path.write_text(source.replace(mutant.old, mutant.new), "utf-8")


def copy(tree: Path) -> None:
    """What the runs need, into ``tree``."""
    for name in COPIED:
        source, target = ROOT / name, tree / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)


def _run(tree: Path, seconds: float, *arguments: str) -> bool:
    """Whether a command failed, in ``tree``, within the time."""
    rooms = os.pathsep.join(str(tree / name) for name in ("core", "consensus", "."))
    environment = os.environ | {"PYTHONPATH": rooms, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tree,
            env=environment,
            timeout=max(1.0, seconds),
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode != 0


def notice(tree: Path, module: str) -> str:
    """What notices a bug of ``module`` in ``tree``: "simulator", "unit tests", or nothing."""
    simulator = ("-m", "tests.sim.mutation", "--look", str(SIMULATED_SECONDS))
    if _run(tree, SIMULATED_SECONDS + 15.0, *simulator):
        return "simulator"
    tests = [f"tests/unit/consensus/test_{module}.py"]
    tests += [f"tests/unit/consensus/test_{SPECIFIC[module]}.py"] if module in SPECIFIC else []
    pytest = ("-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *tests)
    return "unit tests" if _run(tree, SECONDS_MAX, *pytest) else ""


def look(seconds: float) -> int:
    """Run seeds of the tree one is in for so long: 1 at the first that is wrong."""
    from tests.sim.plan import draw
    from tests.sim.simulation import run

    end, seed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        seed += 1
        if run(draw(seed)).violations:
            return 1
    return 0


def attempt(mutant: Mutant | None) -> Catch:
    """Break a copy of the tree and see who notices. Without a mutant nobody should."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        copy(tree)
        name, module = "no change", "approval"
        if mutant is not None:
            name, module = mutant.name, mutant.file.removesuffix(".py")
            apply(mutant, tree)
        by = notice(tree, module)
    seconds = round(time.monotonic() - started, 1)
    return Catch(name, bool(by) and seconds < SECONDS_MAX, seconds, by)


def main() -> int:
    """All mutants; 1 if one was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutation", description=__doc__)
    parser.add_argument("--look", type=float, help="run seeds for so many seconds, here")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="mutants with this in their name")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sim-mutants.json")
    arguments = parser.parse_args()
    if arguments.look is not None:
        return look(arguments.look)
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]
    with ThreadPoolExecutor(arguments.processes) as pool:
        caught = []
        for one in pool.map(attempt, chosen):
            caught.append(one)
            print(f"{one.seconds:6.1f} s  {one.by or 'NOT CAUGHT':12}  {one.mutant}", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(msgspec.json.format(msgspec.json.encode(caught)) + b"\n")
    missed = [one for one in caught if not one.caught]
    print(f"{len(caught)} mutants, {len(missed)} not caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
