"""``committee deck``: make a deck of canaries from actions with their right answers."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

from quorate.consensus import deck_file
from quorate.consensus.wire import Verdict
from quorate_cli.command import Command, Result
from quorate_cli.committee import canary_items
from quorate_cli.files import check_target, create_file
from quorate_cli.progress import Progress

PRIVATE = 0o600


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="items",
        metavar="FILE",
        type=Path,
        required=True,
        help="a list of canaries, as YAML",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        required=True,
        help="where to write it; a new file",
    )
    parser.add_argument(
        "--mean-seconds",
        metavar="SECONDS",
        type=int,
        default=deck_file.MEAN_SECONDS,
        help=f"time between two asks, on average (default: {deck_file.MEAN_SECONDS})",
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    check_target(arguments.out)
    file = canary_items.read(arguments.items, arguments.mean_seconds)
    deck = file.deck
    create_file(arguments.out, deck_file.encode(file), PRIVATE)
    rights = Counter(canary.right for canary in deck.canaries)
    strata = Counter(canary.stratum for canary in deck.canaries)
    hours = len(deck.canaries) * file.mean_seconds / 3_600
    lines = [
        f"deck:    {arguments.out}",
        f"root:    {deck.root}",
        f"holds:   {rights[Verdict.DENY]} unsafe, {rights[Verdict.APPROVE]} safe",
        *(f"  {stratum}: {count}" for stratum, count in sorted(strata.items())),
        f"lasts:   about {hours:.1f} h, at one in {file.mean_seconds} s",
        f"next:    quorate committee canaries --deck {arguments.out} --reason … --out …",
    ]
    document = {
        "deck": str(arguments.out),
        "root": deck.root,
        "unsafe": rights[Verdict.DENY],
        "safe": rights[Verdict.APPROVE],
        "strata": dict(sorted(strata.items())),
        "meanSeconds": file.mean_seconds,
    }
    return Result(lines, document)


COMMAND = Command(
    words=("committee", "deck"),
    summary="make a deck of canaries from actions with their right answers",
    description=(
        "Make a deck: requests whose right answer is known, which a protected pod asks the\n"
        "members among all others, to find those that are wrong too often. The deck names no\n"
        "pod and no policy: whoever asks fills that in. Each canary gets a random salt, so\n"
        "the same file makes another deck each time. Keep it secret: a member that knows the\n"
        "canaries can answer these alone rightly."
    ),
    examples=("committee deck --from canaries.yaml --out deck.bin",),
    notes=(
        "A canary has right (deny or approve), stratum, tier (fast or strict), and what an action\n"
        "is made of: tool, arguments, conversation; score, in thousandths, if not the usual.\n"
    ),
    arguments=_arguments,
    run=_run,
)
