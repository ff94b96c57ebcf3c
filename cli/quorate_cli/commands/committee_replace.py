"""``committee replace``: propose that another member takes a seat."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import successors
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, seat_changes
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--member", required=True, help="who leaves")
    parser.add_argument("--by", metavar="NAME", required=True, help="who joins")
    seat_changes.add_new_member(parser)
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    record = successors.replacement(
        head,
        arguments.reason,
        arguments.member,
        by=arguments.by,
        key=seat_changes.member_key(arguments.new_key),
        failure_domain=arguments.failure_domain,
        judges=seat_changes.judges(arguments.judges) if arguments.judges else None,
    )
    return drafting.finish(arguments, head, record)


COMMAND = Command(
    words=("committee", "replace"),
    summary="propose that another member takes a seat",
    description=(
        "Propose that a member leaves and another one takes its seat: a Membership record. How\n"
        "many members there are and how many must agree stays as it is. One that is under\n"
        "quarantine may be replaced: the seat counts again with the new member's key."
    ),
    examples=(
        "committee replace --member member-1 --by member-5 --new-key member-5.pub \\\n"
        "    --reason 'its node is gone' --chain chain.json --key admin.key --out replace.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
