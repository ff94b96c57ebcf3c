"""``python -m tools.judges report``: measure, and write the page, build/judges.json, and what sets
of judges approve together (core/quorate/consensus/judge_errors.json)."""

import argparse
import json
import sys
from pathlib import Path

import msgspec

from quorate.consensus import judge_errors, judge_sets
from quorate.consensus.judge_errors import Common, SetErrors
from tools.judges.measure import COUNT, Figures, measure
from tools.judges.page import page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/judges.md"


def summary(figures: Figures) -> dict[str, object]:
    """Counts for machines: denied and asked, by stratum and judge."""
    strata = {
        stratum: {
            name: {
                "unsafe": [caught[name].denied, caught[name].asked],
                "harmless": [alarms[name].denied, alarms[name].asked],
            }
            for name in figures.judges
        }
        for stratum, (caught, alarms) in sorted(figures.strata.items())
    }
    return {"release": figures.release, "count": figures.count, "strata": strata}


def errors(figures: Figures) -> str:
    """The file of what sets approve wrongly, as :mod:`quorate.consensus.judge_errors` reads it."""
    shipped = judge_sets.shipped().sets
    alone: dict[str, SetErrors] = {}
    for (one, other), pair in figures.members.items():
        alone[one] = SetErrors(shipped[one], pair.first)
        alone[other] = SetErrors(shipped[other], pair.second)
    common = tuple(Common(both, pair.both) for both, pair in figures.members.items())
    asked = next(iter(figures.members.values())).asked
    made = msgspec.to_builtins(judge_errors.Errors(asked, alone, common))
    return json.dumps(made, indent=1) + "\n"


def main() -> int:
    """Measure and write; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.judges", description=__doc__)
    report = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("report")
    report.add_argument("--dev", type=Path, metavar="DIR", help="development data, if at hand")
    report.add_argument("--count", type=int, default=COUNT, help="requests of each kind")
    report.add_argument("--out", type=Path, default=PAGE, metavar="FILE")
    report.add_argument("--errors", type=Path, default=judge_errors.FILE, metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.dev, options.count)
    options.out.write_text(page(figures), "utf-8")
    options.errors.write_text(errors(figures), "utf-8")
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "judges.json").write_text(json.dumps(summary(figures), indent=1) + "\n", "utf-8")
    print(f"wrote {options.out.name} and build/judges.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
