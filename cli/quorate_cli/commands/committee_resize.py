"""``committee resize``: propose other members and other thresholds."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import successors
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, seat_changes
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    seat_changes.add_many(parser)
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    seats = seat_changes.seats(head, arguments)
    thresholds = seat_changes.thresholds(head, arguments, len(seats))
    record = successors.membership(head, arguments.reason, seats=seats, thresholds=thresholds)
    return drafting.finish(arguments, head, record)


COMMAND = Command(
    words=("committee", "resize"),
    summary="propose more or fewer members, and other thresholds",
    description=(
        "Propose that members join or leave, and how many must agree then: a Membership record.\n"
        "Thresholds whose quorums would not intersect are refused, with the arithmetic. Start\n"
        "the members that join before it is applied, and end those that leave after."
    ),
    examples=(
        "committee resize --add member-5=member-5.pub,zone-a,history-rules-classifier \\\n"
        "    --preset ha --reason 'two may go' --chain chain.json --key admin.key --out p.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
