"""``committee quarantine``: propose to take a member's vote away, by evidence."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.consensus import quarantine
from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.errors import InvalidInput
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.files import read_file
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--evidence",
        metavar="FILE",
        type=Path,
        required=True,
        help="two ballots that contradict each other, or a run of canaries",
    )
    drafting.add_arguments(parser, reason=False)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.key is not None:
        raise InvalidInput("is not needed: the members alone decide about it", field="--key")
    head = drafting.head(arguments)
    data = read_file(arguments.evidence, EVIDENCE_BYTES)
    record = quarantine.propose(head, quarantine.decode(data), drafting.SIGNATURES)
    return drafting.finish(arguments, head, record, data)


COMMAND = Command(
    words=("committee", "quarantine"),
    summary="propose to take a member's vote away, by evidence",
    description=(
        "Propose that a member's vote counts for nothing: a Quarantine record. It rests on\n"
        "evidence that convicts by itself and that every member recomputes before it signs; it\n"
        "is recomputed here as well. Slowness and disagreement convict nobody. It needs no\n"
        "administrator, and no more than r members are under quarantine at a time."
    ),
    examples=("committee quarantine --evidence evidence.bin --chain chain.json --out away.json",),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
