"""``committee status``: epoch, members, thresholds and what they mean, as the members say."""

import asyncio
from argparse import ArgumentParser, Namespace

from quorate_cli.command import Command, Result
from quorate_cli.committee import outcome, whereabouts
from quorate_cli.committee.survey import Survey, opened
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return outcome.result(asyncio.run(_asked(arguments)), terminal_width())


async def _asked(arguments: Namespace) -> Survey:
    async with opened(arguments) as members:
        return await members.survey()


COMMAND = Command(
    words=("committee", "status"),
    summary="show epoch, members and thresholds, as the members themselves say",
    description=(
        "Ask every member by itself for its chain, and follow it from the genesis. Shows the\n"
        "newest epoch, the seats with their failure domains, who is under quarantine, who\n"
        "answers and who is behind; and what the thresholds mean: how many members may be down\n"
        "or lie, and how many more may go now. Nothing is changed, and no token is shown."
    ),
    examples=(
        "committee status",
        "committee status --member-url 'https://quorate-{member}.quorate-system.svc:8443'",
        "committee status --genesis genesis.json --member-url member-0=https://127.0.0.1:9000 \\\n"
        "    --member-url member-1=https://127.0.0.1:9001",
    ),
    notes=(
        "Exit code 1: members hold two certified histories. Exit code 3: not every member\n"
        "answered.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
