"""``committee canaries``: propose the deck whose canaries count from now on."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.consensus import deck_file, successors
from quorate.consensus.deck_file import DECK_BYTES
from quorate.errors import InvalidInput
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.files import read_file
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    deck = parser.add_mutually_exclusive_group(required=True)
    deck.add_argument("--deck", metavar="FILE", type=Path, help="a deck, as committee deck made it")
    deck.add_argument("--none", action="store_true", help="no canary counts any more")
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    root = None if arguments.none else _root(arguments.deck)
    return drafting.finish(arguments, head, successors.canaries(head, arguments.reason, root))


def _root(path: Path) -> str:
    try:
        return deck_file.parse(read_file(path, DECK_BYTES)).deck.root
    except InvalidInput as error:
        raise InvalidInput(str(error), field=str(path)) from None


COMMAND = Command(
    words=("committee", "canaries"),
    summary="propose the deck of canaries that counts from now on",
    description=(
        "Propose a deck's root: a Canaries record. It holds a digest and shows no canary; once it\n"
        "is in force, results of exactly this deck count, with the labels that it was made with.\n"
        "Whoever signs it answers for the labels: members lose their vote by them."
    ),
    examples=(
        "committee canaries --deck deck.bin --reason 'November' --chain chain.json \\\n"
        "    --key admin.key --out canaries.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
