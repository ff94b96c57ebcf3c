"""``committee readmit``: propose that a member under quarantine votes again."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import successors
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, seat_changes
from quorate_cli.files import read_public_key
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--member", required=True, help="who votes again")
    seat_changes.add_new_key(parser)
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    key = read_public_key(arguments.new_key).pem
    record = successors.readmission(head, arguments.reason, arguments.member, key)
    return drafting.finish(arguments, head, record)


COMMAND = Command(
    words=("committee", "readmit"),
    summary="propose that a member under quarantine votes again",
    description=(
        "Propose that a member's vote counts again: a Readmission record. Only with a new key:\n"
        "what the old one signed convicted it. Find out first why it said two things, or was\n"
        "wrong; make its store anew (quorate_consensus init)."
    ),
    examples=(
        "committee readmit --member member-1 --new-key member-1.pub --reason 'disk replaced' \\\n"
        "    --chain chain.json --key admin.key --out readmit.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
