"""``inventory``: every model server of the cluster, and what enforcing would do to it."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quorate_cli import exit_codes
from quorate_cli.cluster import connection
from quorate_cli.command import Command, Result
from quorate_cli.inventory.gathering import take_inventory
from quorate_cli.inventory.outcome import Inventory
from quorate_cli.inventory.page import page
from quorate_cli.inventory.text import as_csv, render
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="also write one page for people who rather look"
    )
    connection.add_arguments(parser, namespace=True)


def _run(arguments: Namespace, progress: Progress) -> Result:
    now = datetime.now(UTC)
    connected = connection.connect(arguments)
    found = take_inventory(
        connected.reader, arguments.namespace, connected.namespace, now, progress
    )
    if arguments.html is not None:
        arguments.html.write_text(page(found, now), encoding="utf-8")
    return result(found, terminal_width())


def result(inventory: Inventory, width: int) -> Result:
    """What the command prints. Finding something is no failure to find it."""
    code = exit_codes.UNREACHABLE if inventory.gaps else exit_codes.OK
    texts = {"csv": as_csv(inventory)}
    return Result(render(inventory, width), msgspec.to_builtins(inventory), code, texts)


COMMAND = Command(
    words=("inventory",),
    summary="list every model server, opted in or not",
    description=(
        "List what serves models in the cluster, in every namespace, opted in or not: which\n"
        "program (and why it is taken for one), which model with its digest and owner, the\n"
        "namespace's mode, the verdict today, and what enforcing would do, the riskiest first.\n"
        "Nothing is changed."
    ),
    examples=("inventory", "inventory -o csv", "inventory -n team-a --html servers.html"),
    notes=(
        "Recognised by image, program, arguments, variables, accelerators, ports, volumes and\n"
        "labels, with a confidence: it may list what is none, and miss what hides. In a namespace\n"
        "that enforces, every pod that is not exempt is listed.\n"
        "Exit code 3: something could not be read; it is named, and rows may be missing."
    ),
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml", "csv"),
)
