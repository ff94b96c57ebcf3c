"""Run schedules: ``python -m tests.sim [--seed N | --twins N] [--verbose] [--schedules N]``.

Without ``--seed`` it runs many, and the scenarios of twins, on all of ``--processes``, and writes
``build/sim.json``; it stops with 1 if a history was wrong, and prints the seeds that show it.
"""

import argparse
import sys
from pathlib import Path

from tests.sim import runner, twins
from tests.sim.plan import draw
from tests.sim.simulation import Outcome, run

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = 100_000
FIRST = 1


def shown(what: str, outcome: Outcome) -> int:
    """Print one run again, with its trace if there is one."""
    for line in (*outcome.trace, *outcome.violations):
        print(line)
    print(f"{what}: {outcome.facts} facts, {len(outcome.violations)} violations")
    return 1 if outcome.violations else 0


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--twins", type=int, help="replay this scenario of twins")
    parser.add_argument(
        "--verbose", action="store_true", help="print the trace of what is replayed"
    )
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sim.json")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        outcome = run(draw(arguments.seed), verbose=arguments.verbose)
        return shown(f"seed {arguments.seed}", outcome)
    if arguments.twins is not None:
        outcome = twins.run(twins.nth(arguments.twins), verbose=arguments.verbose)
        return shown(f"twins {arguments.twins}", outcome)
    report = runner.run_all(arguments.first, arguments.schedules, arguments.processes)
    report.twins = twins.run_all(arguments.processes)
    runner.write(report, arguments.out)
    print(runner.summary(report))
    return 1 if report.violations or report.twins.violations else 0


if __name__ == "__main__":
    sys.exit(main())
