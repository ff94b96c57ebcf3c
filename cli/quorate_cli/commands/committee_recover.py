"""``committee recover``: the administrators move the chain on, without the members."""

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
    record = successors.recovery(head, arguments.reason, seats=seats, thresholds=thresholds)
    found = drafting.finish(arguments, head, record)
    warning = (
        "look first:  quorate committee status: members that opened another epoch "
        f"{record.number} will not take this one"
    )
    return Result([*found.lines, warning], found.document)


COMMAND = Command(
    words=("committee", "recover"),
    summary="move the chain on by the administrators alone",
    description=(
        "Make a Recovery record, which counts by the administrators' signatures alone: after a\n"
        "vote that was split (it may change nothing else), or when so many members are lost or\n"
        "lie that no strict quorum signs. Keys that it takes out are believed nothing any more,\n"
        "also what they signed before."
    ),
    examples=(
        "committee recover --reason 'the vote was split' --chain chain.json --key admin.key \\\n"
        "    --out recover.json",
        "committee recover --rekey member-0=m0.pub --rekey member-1=m1.pub \\\n"
        "    --reason 'two nodes lost' --chain chain.json --key admin.key --out recover.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
