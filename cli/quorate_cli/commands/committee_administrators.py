"""``committee administrators``: propose other people, or how many of them must sign."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.consensus import successors
from quorate.consensus.epoch import Admins, Epoch, material_of
from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.files import read_public_key
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--add",
        metavar="PUB",
        type=Path,
        action="append",
        default=[],
        help="public key of somebody who joins; repeatable",
    )
    parser.add_argument(
        "--remove",
        metavar="KEYID",
        action="append",
        default=[],
        help="id of a key that leaves, sha256:…, as committee status says it; repeatable",
    )
    parser.add_argument(
        "--needed", metavar="K", type=int, help="how many must sign (default: as before)"
    )
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    admins = _changed(head, arguments)
    record = successors.membership(head, arguments.reason, admins=admins)
    return drafting.finish(arguments, head, record)


def _changed(head: Epoch, arguments: Namespace) -> Admins:
    old = head.record.admins
    known = {material_of(key): key for key in old.keys}
    for given in arguments.remove:
        if known.pop(check_digest(given, "--remove"), None) is None:
            raise InvalidInput(f"is no administrator's: {given}", field="--remove")
    keys = (*known.values(), *(read_public_key(path).pem for path in arguments.add))
    needed = old.needed if arguments.needed is None else arguments.needed
    if not 1 <= needed <= len(keys):
        raise InvalidInput(f"must be 1 to {len(keys)}; is {needed}", field="--needed")
    return Admins(keys, needed)


COMMAND = Command(
    words=("committee", "administrators"),
    summary="propose other administrators, or how many of them must sign",
    description=(
        "Propose whose keys administer from the next epoch on, and how many of them must sign: a\n"
        "Membership record. Those of the epoch before sign it, with a strict quorum of the\n"
        "members. Whoever leaves can freeze nothing any more."
    ),
    examples=(
        "committee administrators --add cem.pub --remove sha256:… --reason 'Ben left' \\\n"
        "    --chain chain.json --key admin.key --out administrators.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
