"""``exception show``: read an exception in a file, and who has signed it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate_cli import exception_file
from quorate_cli.command import Command, Result
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the exception")


def _run(arguments: Namespace, progress: Progress) -> Result:
    return Result(*exception_file.described(exception_file.load(arguments.file)))


COMMAND = Command(
    words=("exception", "show"),
    summary="read a SafetyException and who signed it",
    description=(
        "Print what a SafetyException lifts, for what, why, until when, and the ids of the keys\n"
        "that claim to have signed. Nothing is verified here: the cluster does that, and says in\n"
        "the condition Active what it found."
    ),
    examples=(
        "exception show exception.yaml",
        "exception show exception.yaml --output json",
    ),
    arguments=_arguments,
    run=_run,
)
