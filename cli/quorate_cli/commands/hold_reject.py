"""``hold reject``: sign that a held action must not happen."""

from argparse import ArgumentParser, Namespace

from quorate.evidence.intoto.approval import Decision
from quorate_cli import hold_signing
from quorate_cli.command import Command, Result
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    hold_signing.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return hold_signing.run(arguments, Decision.REJECTED)


COMMAND = Command(
    words=("hold", "reject"),
    summary="sign that an action that is held must not happen",
    description=(
        "Sign that a held action must not happen. One of the people that any policy names is\n"
        "enough, also after others approved. It counts until the hold's time ends; an action that\n"
        "is not decided about stays denied as well."
    ),
    examples=(
        "hold reject --id sha256:… --reason 'nobody asked for it' --key me.key \\\n"
        "    --out decision.json --send http://10.0.0.7:8000",
    ),
    arguments=_arguments,
    run=_run,
)
