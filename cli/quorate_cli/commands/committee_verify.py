"""``committee verify``: follow the chain from the pinned genesis, and tell what each epoch did."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from quorate.consensus import provenance
from quorate.consensus.keys import KeySignatures
from quorate.consensus.provenance import Step
from quorate.errors import EvidenceError, InvalidInput
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.committee import chain_file, known_chain, whereabouts
from quorate_cli.committee.chain_file import Chain
from quorate_cli.files import check_target
from quorate_cli.progress import Progress

SHOWN = 50


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", help="the chain (default: asks the members)"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="keep the chain there, for offline commands"
    )
    parser.add_argument(
        "--all", action="store_true", help=f"tell all epochs, not only the last {SHOWN}"
    )
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.out is not None:
        check_target(arguments.out)
    chain, pinned = _chain(arguments)
    steps: list[Step] = []
    problem = ""
    try:
        steps.extend(provenance.told(chain.genesis, chain.records, KeySignatures()))
    except (EvidenceError, InvalidInput) as error:
        problem = f"epoch {len(steps) + 1}: {error}"
    if arguments.out is not None and not problem:
        chain_file.save(arguments.out, chain)
    shown = steps if arguments.all else steps[-SHOWN:]
    head = steps[-1].epoch if steps else chain.genesis
    lines = [
        f"genesis {chain.genesis.digest_text} of {chain.genesis.cluster_id}",
        *([] if pinned else ["  not pinned: compare it with what your pods were started with"]),
        *([f"… {len(steps) - len(shown)} epochs before"] if len(shown) < len(steps) else []),
        *(line for step in shown for line in _text(step)),
        f"DENIED: {problem}" if problem else f"verified: the head is epoch {head.record.number}",
    ]
    document = {
        "genesis": chain.genesis.digest_text,
        "pinned": pinned,
        "head": {"number": head.record.number, "digest": head.digest_text},
        "epochs": [_document(step) for step in steps],
        "problem": problem,
    }
    return Result(lines, document, exit_codes.DENIED if problem else exit_codes.OK)


def _chain(arguments: Namespace) -> tuple[Chain, bool]:
    """The chain, and whether its genesis was pinned by somebody."""
    if arguments.file is None:
        return asyncio.run(known_chain.asked(arguments)), True
    if arguments.member_url or arguments.ask:
        raise InvalidInput("is read instead of asking members", field="FILE")
    if arguments.genesis_digest is None and arguments.genesis is None:
        return chain_file.load(arguments.file, None), False
    pin, _ = whereabouts.pinned(arguments)
    return chain_file.load(arguments.file, pin), True


def _text(step: Step) -> list[str]:
    record = step.epoch.record
    needed = step.needed.admins
    admins = f", {len(step.admins)} of {needed} administrators" if needed else ""
    members = f"{', '.join(step.members) or 'no member'} ({step.needed.members} needed)"
    return [
        f"{record.number:>5}  {record.change}: {record.reason}",
        *(f"         {line}" for line in step.changes or ("changes nothing else",)),
        f"         signed by {members}{admins}",
        *(f"           {key}" for key in step.admins),
        f"         {step.epoch.digest_text}",
    ]


def _document(step: Step) -> dict[str, Any]:
    record = step.epoch.record
    return {
        "number": record.number,
        "digest": step.epoch.digest_text,
        "change": str(record.change),
        "reason": record.reason,
        "changes": list(step.changes),
        "members": list(step.members),
        "administrators": list(step.admins),
        "needed": {"members": step.needed.members, "administrators": step.needed.admins},
    }


COMMAND = Command(
    words=("committee", "verify"),
    summary="follow the chain from the genesis: what each epoch did, and who signed",
    description=(
        "Verify every epoch record from the pinned genesis on, and tell what it changed and\n"
        "whose signatures made it count. From a file it works offline: one that --out wrote, or\n"
        "what a member answers at /v1/genesis."
    ),
    examples=(
        "committee verify chain.json --genesis-digest sha256:…",
        "committee verify --out chain.json --member-url 'https://quorate-{member}.quorate-system.svc:8443'",
    ),
    notes=(
        "A file with neither --genesis nor --genesis-digest proves that it is one chain, not that\n"
        "it is your committee's. Exit code 1: a record does not verify; what came before is told.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
    forms=("text", "json"),
)
