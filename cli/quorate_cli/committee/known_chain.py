"""The committee's chain: from a file, offline, or as the members tell it."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate_cli.committee import chain_file, whereabouts
from quorate_cli.committee.chain_file import Chain
from quorate_cli.committee.survey import opened


def add_argument(parser: ArgumentParser) -> None:
    """The flag that names the file; where members are, :func:`whereabouts.add_arguments` adds."""
    parser.add_argument(
        "--chain", metavar="FILE", type=Path, help="the chain, in a file (default: asks members)"
    )


def find(arguments: Namespace) -> Chain:
    """The chain; from a file, of the pinned genesis if one is. Raises QuorateError."""
    if arguments.chain is None:
        return asyncio.run(asked(arguments))
    pin = None
    if arguments.genesis_digest is not None or arguments.genesis is not None:
        pin, _ = whereabouts.pinned(arguments)
    return chain_file.load(arguments.chain, pin)


async def asked(arguments: Namespace) -> Chain:
    """The longest chain that any member proved. Raises QuorateError."""
    async with opened(arguments) as members:
        return (await members.survey()).chain
