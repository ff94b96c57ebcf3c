"""``freeze list``: what is frozen, and which members hold it."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

from quorate.evidence.intoto.timestamps import format_utc
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.committee import orders, whereabouts
from quorate_cli.committee.survey import opened
from quorate_cli.layout import NOTICE, table, terminal_width
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return asyncio.run(_listed(arguments))


async def _listed(arguments: Namespace) -> Result:
    async with opened(arguments) as members:
        survey = await members.survey()
        found, problems = await orders.held(members, survey, datetime.now(UTC))
    asked = len(survey.answering)
    rows = [
        [
            one.signed.order.order_id,
            f"{one.signed.order.scope} {one.signed.order.name}".strip(),
            format_utc(one.signed.order.expires_at),
            f"{len(one.members)}/{asked}",
            one.signed.order.reason,
        ]
        for one in found
    ]
    header = ("ID", "FROZEN", "UNTIL", "MEMBERS", "REASON")
    lines = table(rows, max(terminal_width(), 160), header=header) or ["nothing is frozen"]
    lines += [f"{NOTICE} {problem}" for problem in problems]
    document = {
        "freezes": [
            {**orders.described(one.signed), "members": list(one.members)} for one in found
        ],
        "problems": problems,
    }
    return Result(lines, document, exit_codes.UNREACHABLE if problems else exit_codes.OK)


COMMAND = Command(
    words=("freeze", "list"),
    summary="list what is frozen, and which members hold it",
    description=(
        "Ask every member what it holds frozen, and verify each order by the newest epoch. What\n"
        "has expired or was released is not listed."
    ),
    examples=("freeze list", "freeze list --genesis genesis.json --output json"),
    notes="Exit code 3: not every member answered; the rest is listed.\n" + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
