"""``hold approve``: sign that one held action may happen, once."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.evidence.intoto.approval import Decision
from quorate_cli import hold_signing
from quorate_cli.command import Command, Result
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--add-to", metavar="FILE", type=Path, help="sign this approval, of somebody else, as well"
    )
    hold_signing.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return hold_signing.run(arguments, Decision.APPROVED, arguments.add_to)


COMMAND = Command(
    words=("hold", "approve"),
    summary="sign an approval of an action that is held",
    description=(
        "Sign that you approve exactly one held action, once. The hold's id says which request,\n"
        "under which policies, at which pod. If a policy asks for several people, each after the\n"
        "first signs the same approval with --add-to."
    ),
    examples=(
        "hold approve --id sha256:… --reason 'called them' --key me.key --out decision.json",
        "hold approve --id sha256:… --add-to decision.json --key me.key --out decision.json \\\n"
        "    --send http://10.0.0.7:8000",
    ),
    notes=(
        "Exit code 1: the pod holds nothing under this id, or the signers are not those that its\n"
        "policies name."
    ),
    arguments=_arguments,
    run=_run,
)
