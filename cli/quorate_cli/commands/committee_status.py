"""``committee status``: epoch, members, thresholds and what they mean, as the members say."""

import asyncio
from argparse import ArgumentParser, Namespace

from quorate_cli.command import Command, Result
from quorate_cli.committee import outcome, proposals, whereabouts
from quorate_cli.committee.survey import Survey, opened
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    survey = asyncio.run(_asked(arguments))
    return outcome.result(survey, proposals.read(arguments), terminal_width())


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
        "or lie, and how many more may go now; and how far the proposals in the SafetyCommittee\n"
        "are. Nothing is changed, and no member is shown a token."
    ),
    examples=(
        "committee status",
        "committee status --member-url 'https://quorate-{member}.quorate-system.svc:8443'",
        "committee status --genesis genesis.json --member-url member-0=https://127.0.0.1:9000 \\\n"
        "    --member-url member-1=https://127.0.0.1:9001",
    ),
    notes=(
        "Exit code 1: members hold two certified histories. Exit code 3: not every member\n"
        "answered. With --member-url the API server is asked for proposals only if --kubeconfig\n"
        "or --context names it.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
