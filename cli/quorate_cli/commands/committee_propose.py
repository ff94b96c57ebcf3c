"""``committee propose``: have the operator take a proposal to the members."""

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from quorate.consensus.draft import Draft
from quorate.errors import InvalidInput
from quorate_cli.cluster import connection
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, proposing
from quorate_cli.progress import Progress

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?\Z")
"""As the object has it, with room for what its evidence is named."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the proposal, signed")
    parser.add_argument(
        "--name", help="its name in the object (default: what it changes, and the epoch's number)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="another proposal of this name gives way"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="have the API server check it, and keep nothing"
    )
    connection.add_arguments(parser, namespace=False)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    draft = drafting.load(arguments.file)
    name = arguments.name or _name(draft)
    if _NAME.match(name) is None:
        raise InvalidInput("must be at most 50 of a-z, 0-9 and -", field="--name")
    proposing.check_signed(draft)
    reader, writer = connection.connect_both(arguments)
    is_new = proposing.propose(
        draft, name, reader, writer, replace=arguments.replace, dry_run=arguments.dry_run
    )
    said = "is in there already" if not is_new else "would be proposed" if arguments.dry_run else ""
    result = drafting.result(draft, arguments.file)
    lines = [
        *result.lines[:-1],
        f"{name} {said or 'is proposed: the operator takes it to the members'}",
        *([] if arguments.dry_run else ["next:      quorate committee status"]),
    ]
    document = result.document | {
        "name": name,
        "proposed": is_new and not arguments.dry_run,
        "dryRun": arguments.dry_run,
    }
    return Result(lines, document)


def _name(draft: Draft) -> str:
    return f"{draft.record.change.lower()}-{draft.record.number}"


COMMAND = Command(
    words=("committee", "propose"),
    summary="put a signed proposal into the SafetyCommittee, for the operator to bring",
    description=(
        "Put a proposal into the SafetyCommittee: the operator takes it to the members, one\n"
        "record after the other, and again when those that were away are back. What others\n"
        "proposed stays; what is over makes room. The evidence of a quarantine goes into a\n"
        "ConfigMap in quorate-system. committee status shows how far it is."
    ),
    examples=(
        "committee propose rotate.json",
        "committee propose rotate.json --name rotate-1 --dry-run",
        "committee propose away.json --context production",
    ),
    notes=(
        "It needs what the ClusterRole quorate-committee-proposer allows, and for a quarantine to\n"
        "create ConfigMaps in quorate-system. Nothing is decided by being in there: members look\n"
        "at each record themselves. To withdraw one: kubectl edit safetycommittee committee."
    ),
    arguments=_arguments,
    run=_run,
)
