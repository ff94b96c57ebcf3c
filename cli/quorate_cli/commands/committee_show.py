"""``committee show``: what a proposal does, and who signed it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the proposal")


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return drafting.result(drafting.load(arguments.file), arguments.file)


COMMAND = Command(
    words=("committee", "show"),
    summary="show what a proposal changes, and who signed it",
    description=(
        "Show what the record in a proposal changes, whose signatures it needs, and which of\n"
        "them verify; offline. Whether it follows the committee's newest epoch, members say."
    ),
    examples=("committee show rotate.json",),
    arguments=_arguments,
    run=_run,
)
