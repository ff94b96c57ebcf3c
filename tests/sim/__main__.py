"""Run schedules: ``python -m tests.sim [--seed N [--verbose]] [--schedules N] [--first N]``.

Without ``--seed`` it runs many, on all of ``--processes``, and writes ``build/sim.json``; it stops
with 1 if a history was wrong, and prints the seeds that show it.
"""

import argparse
import sys
from pathlib import Path

from tests.sim import runner
from tests.sim.plan import draw
from tests.sim.simulation import run

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = 100_000
FIRST = 1


def replay(seed: int, *, verbose: bool) -> int:
    """One seed again, with its trace if asked for."""
    outcome = run(draw(seed), verbose=verbose)
    for line in (*outcome.trace, *outcome.violations):
        print(line)
    print(f"seed {seed}: {outcome.facts} facts, {len(outcome.violations)} violations")
    return 1 if outcome.violations else 0


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--verbose", action="store_true", help="print the trace of --seed")
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sim.json")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return replay(arguments.seed, verbose=arguments.verbose)
    report = runner.run_all(arguments.first, arguments.schedules, arguments.processes)
    runner.write(report, arguments.out)
    print(runner.summary(report))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
