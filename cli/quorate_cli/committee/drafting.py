"""What all commands share that make a record for people to sign."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from quorate.consensus import difference
from quorate.consensus import draft as drafts
from quorate.consensus.draft import DRAFT_BYTES, Draft
from quorate.consensus.epoch import Epoch, EpochRecord, material_of
from quorate.consensus.keys import KeySignatures
from quorate.errors import InvalidInput
from quorate_cli.command import Result
from quorate_cli.committee import known_chain, whereabouts
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file

SIGNATURES = KeySignatures()
NOTES = (
    "The file holds the record, the one before, and who signed: others sign it offline with\n"
    "committee sign, and committee apply brings it to the members. What the record does not\n"
    "say stays as it is. --chain works offline, with what committee verify --out wrote.\n"
) + whereabouts.NOTES


def add_arguments(parser: ArgumentParser, *, reason: bool = True) -> None:
    """Why, unless the record says so itself; where to, who signs at once, and the chain that it
    goes on."""
    if reason:
        parser.add_argument(
            "--reason", required=True, help="why, in one line; it stays in the chain"
        )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where to write the proposal"
    )
    parser.add_argument("--key", type=Path, help="sign at once with this administrator's key")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    known_chain.add_argument(parser)
    whereabouts.add_arguments(parser)


def head(arguments: Namespace) -> Epoch:
    """The epoch that the record is to follow. Raises QuorateError."""
    check_target(arguments.out)
    return known_chain.find(arguments).history().head


def finish(
    arguments: Namespace, before: Epoch, record: EpochRecord, evidence: bytes = b""
) -> Result:
    """Write the proposal, signed if a key was given."""
    draft = drafts.begin(before, record, evidence)
    if arguments.key is not None:
        draft = signed(draft, arguments)
    write_file(arguments.out, drafts.encode(draft))
    return result(draft, arguments.out)


def signed(draft: Draft, arguments: Namespace) -> Draft:
    """With the signature of ``--key``. Raises InvalidInput."""
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    return drafts.sign(draft, signer, SIGNATURES)


def load(path: Path) -> Draft:
    """The proposal in a file. Raises InvalidInput naming it."""
    try:
        return drafts.parse(read_file(path, DRAFT_BYTES))
    except InvalidInput as error:
        raise InvalidInput(str(error), field=str(path)) from None


def result(draft: Draft, path: Path) -> Result:
    """All that a proposal says, and what it waits for."""
    need = drafts.required(draft)
    missing = max(0, need.admins - len(drafts.signers(draft, SIGNATURES)))
    said, document = described(draft)
    lines = [*said, f"proposal:  {path}", f"next:      {_next(draft, path, missing, need.members)}"]
    return Result(lines, {"proposal": str(path)} | document)


def described(draft: Draft) -> tuple[list[str], dict[str, Any]]:
    """What a proposal changes and who signed it, for people and for programs."""
    record, need = draft.record, drafts.required(draft)
    by = drafts.signers(draft, SIGNATURES)
    changed = difference.changes(draft.before, record)
    lines = [
        f"epoch {record.number} of {record.cluster_id}: {record.change}",
        f"reason:    {record.reason}",
        f"follows:   {record.previous}",
        *(f"  {line}" for line in changed or ("changes nothing else",)),
        f"signed by: {len(by)} of {need.admins} administrators",
        *(f"  {key}" for key in by),
    ]
    document: dict[str, Any] = {
        "clusterId": record.cluster_id,
        "number": record.number,
        "previous": record.previous,
        "change": str(record.change),
        "reason": record.reason,
        "changes": list(changed),
        "administrators": [material_of(key) for key in draft.before.admins.keys],
        "signers": list(by),
        "needed": {"administrators": need.admins, "members": need.members},
    }
    return lines, document


def _next(draft: Draft, path: Path, missing: int, members: int) -> str:
    if missing:
        return f"{missing} more: quorate committee sign {path} --key …"
    verb = "propose" if draft.evidence else "apply"
    who = f"{members} members sign as well" if members else "the administrators alone decide"
    return f"quorate committee {verb} {path} ({who})"
