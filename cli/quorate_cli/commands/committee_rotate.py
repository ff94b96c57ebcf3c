"""``committee rotate``: propose another key for a member."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import successors
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, seat_changes
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--member", required=True, help="whose key it is")
    seat_changes.add_new_key(parser)
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    key = seat_changes.member_key(arguments.new_key)
    seats = successors.with_key(head.record.seats, arguments.member, key)
    record = successors.membership(head, arguments.reason, seats=seats)
    return drafting.finish(arguments, head, record)


COMMAND = Command(
    words=("committee", "rotate"),
    summary="propose another key for a member",
    description=(
        "Propose that a member has another identity key from the next epoch on: a Membership\n"
        "record. It counts once the administrators that are needed and a strict quorum of the\n"
        "members signed it; then the member is started with the new key."
    ),
    examples=(
        "committee rotate --member member-1 --new-key member-1.pub --reason 'yearly' \\\n"
        "    --chain chain.json --key admin.key --out rotate.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
