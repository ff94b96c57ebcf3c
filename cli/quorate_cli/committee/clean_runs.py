"""The canaries that speak for a member under quarantine: from a file, or as members keep them."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from quorate.consensus import clean_run
from quorate.consensus.clean_run import Count
from quorate.consensus.epoch import Epoch
from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.errors import QuorateError, SubjectMismatch
from quorate_cli.committee.drafting import SIGNATURES
from quorate_cli.committee.survey import opened
from quorate_cli.files import read_file
from quorate_io import member_api
from quorate_io.member_api import CleanRunAnswer
from quorate_io.member_channel import Request

TIMEOUT: Final = 20.0
NONE: Final = Count(0, 0)


def add_arguments(parser: ArgumentParser) -> None:
    """``--run``, and the word that does without."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--run",
        metavar="FILE",
        type=Path,
        help="its run of clean canaries, in a file (default: the longest that members keep)",
    )
    chosen.add_argument(
        "--without-clean-run",
        action="store_true",
        help="propose it though no such run stands behind it; the record says so, and the "
        "administrators who sign it vouch for the member",
    )


def find(arguments: Namespace, head: Epoch, member: str) -> tuple[Count, bytes]:
    """The run, recomputed. Raises SubjectMismatch, with how far it is, if it is too short."""
    if arguments.run is not None:
        data = read_file(arguments.run, EVIDENCE_BYTES)
        count = clean_run.count(clean_run.decode(data), head, SIGNATURES)
    else:
        count, data = asyncio.run(_longest(arguments, head, member))
    if not count.is_enough:
        raise SubjectMismatch(
            f"{member} is not to vote again: {count}",
            field="--member",
            fix="have a pod with a deck ask on; or --without-clean-run, which people then sign",
        )
    return count, data


async def _longest(arguments: Namespace, head: Epoch, member: str) -> tuple[Count, bytes]:
    query = ((member_api.MEMBER_PARAMETER, member),)
    bytes_max = member_api.EVIDENCE_ANSWER_BYTES
    request = Request("GET", member_api.CLEAN_RUNS_PATH, bytes_max, TIMEOUT, query=query)
    best = NONE, b""
    async with opened(arguments) as members:
        answering = (await members.survey()).answering
        for answer in (await members.call_all(answering, request)).values():
            try:
                found = _counted(answer, head, member)
            except QuorateError:
                # Of a member that is behind, ahead, or lies: others may keep one that holds up.
                continue
            if found[0].total > best[0].total:
                best = found
    return best


def _counted(answer: bytes | QuorateError, head: Epoch, member: str) -> tuple[Count, bytes]:
    if isinstance(answer, QuorateError):
        raise answer
    bytes_max = member_api.EVIDENCE_ANSWER_BYTES
    data = member_api.decode(answer, CleanRunAnswer, bytes_max=bytes_max, what="clean run").run
    if not data:
        return NONE, b""
    run = clean_run.decode(data)
    if run.member != member:
        raise SubjectMismatch(f"the run is {run.member}'s")
    return clean_run.count(run, head, SIGNATURES), data
