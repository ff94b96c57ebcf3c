"""``unfreeze``: propose that freezes end."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import successors
from quorate.manifest import check_digest
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--id",
        metavar="ID",
        action="append",
        required=True,
        help="the freeze, sha256:…, as freeze said it; repeatable",
    )
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    orders = [check_digest(one, "--id") for one in arguments.id]
    head = drafting.head(arguments)
    record = successors.release(head, arguments.reason, orders)
    return drafting.finish(arguments, head, record)


COMMAND = Command(
    words=("unfreeze",),
    summary="propose that freezes end before their time",
    description=(
        "Propose that freezes hold no longer: a Release record. One person sets a freeze; ending\n"
        "one needs the administrators' threshold and a strict quorum of the members. A freeze\n"
        "whose time has come ends by itself."
    ),
    examples=(
        "unfreeze --id sha256:… --reason 'shell is fixed' --chain chain.json --key admin.key \\\n"
        "    --out unfreeze.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
