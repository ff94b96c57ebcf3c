"""``gate suites``: which suites there are, and the digests a policy names."""

from argparse import ArgumentParser, Namespace
from typing import Any

from quorate.errors import InvalidInput
from quorate_cli.command import Command, Result
from quorate_cli.layout import terminal_width, wrapped
from quorate_cli.progress import Progress
from quorate_evaluation.catalog import SHIPPED, find, plug_ins
from quorate_evaluation.digests import harness_digest, suite_digest
from quorate_evaluation.thresholds import merged, parse_threshold


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", nargs="?", help="only this one (default: all)")
    parser.add_argument(
        "--threshold",
        metavar="METRIC<=X",
        action="append",
        default=[],
        help="digest of the suite under this bound; repeatable",
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.threshold and not arguments.suite:
        raise InvalidInput("goes with one SUITE", field="--threshold")
    given = [parse_threshold(text) for text in arguments.threshold]
    names = [arguments.suite] if arguments.suite else [*SHIPPED, *sorted(plug_ins())]
    described = []
    for name in dict.fromkeys(names):
        suite = find(name)
        thresholds = merged(suite.thresholds, given)
        described.append(
            {
                "name": name,
                "summary": suite.summary,
                "cases": len(suite.cases(0)),
                "suite": suite_digest(suite, thresholds),
                "dataset": suite.dataset_digest,
                "fails": [str(item) for item in thresholds if not item.warns],
                "warns": [str(item) for item in thresholds if item.warns],
            }
        )
    harness = harness_digest()
    lines = [line for item in described for line in _lines(item)]
    return Result([*lines, f"harness: {harness}"], {"suites": described, "harness": harness})


def _lines(item: dict[str, Any]) -> list[str]:
    width = terminal_width()
    bounds = [*item["fails"], *(f"{bound} (warns)" for bound in item["warns"])]
    return [
        *wrapped(f"{item['summary']}; {item['cases']} cases", width, first=f"{item['name']}: "),
        f"  suite:   {item['suite']}",
        f"  dataset: {item['dataset']}",
        *wrapped(", ".join(bounds), width, first="  bounds:  "),
        "",
    ]


COMMAND = Command(
    words=("gate", "suites"),
    summary="list the suites and the digests that policies name",
    description=(
        "List the suites that ship and those that installed plug-ins offer: what each measures,\n"
        "its thresholds, and the digests of suite, dataset and harness as results carry them."
    ),
    examples=("gate suites", "gate suites bias --threshold 'gap_upper_bound<=0.03'"),
    arguments=_arguments,
    run=_run,
)
