"""``committee apply``: bring a signed proposal to the members."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate_cli.command import Command, Result
from quorate_cli.committee import applying, drafting, whereabouts
from quorate_cli.committee.survey import opened
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the proposal")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="the operator's token, for what no administrator signs",
    )
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    return asyncio.run(_applied(arguments))


async def _applied(arguments: Namespace) -> Result:
    draft = drafting.load(arguments.file)
    async with opened(arguments, arguments.token_file) as members:
        return await applying.apply(draft, members, may_propose=arguments.token_file is not None)


COMMAND = Command(
    words=("committee", "apply"),
    summary="bring a signed proposal to the members",
    description=(
        "Bring a proposal that enough administrators signed to the members: each checks it for\n"
        "itself and signs one record for each number, and no other. With a strict quorum's\n"
        "signatures it is certified, and all members are shown it. A recovery needs none."
    ),
    examples=(
        "committee apply recover.json --genesis genesis.json \\\n"
        "    --member-url member-0=https://127.0.0.1:9000",
        "committee apply rotate.json \\\n"
        "    --member-url 'https://quorate-{member}.quorate-system.svc:8443'",
    ),
    notes=(
        "What enough administrators signed needs no token; a quarantine, which members alone\n"
        "decide about, they take from the operator only. A member that declined says why, and one\n"
        "that does not answer learns the record from the others. Who signed signs no other record\n"
        "with its number: apply it again. Exit code 1: it is not certified.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
)
