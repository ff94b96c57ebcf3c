"""``committee acknowledge``: sign and propose what was prepared for a member under quarantine."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.consensus import draft as drafts
from quorate.errors import InvalidInput
from quorate_cli.cluster import connection
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting, proposing, replacement, whereabouts
from quorate_cli.files import check_target, write_file
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--key", type=Path, required=True, help="private key of an administrator")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the signed proposal there as well"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check and show all of it, and propose nothing"
    )
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.out is not None:
        check_target(arguments.out)
    reader, writer = connection.connect_both(arguments)
    draft, found = replacement.checked(replacement.read(reader), arguments)
    draft = drafting.signed(draft, arguments)
    lines, document = drafting.described(draft)
    missing = drafts.required(draft).admins - len(drafts.signers(draft, drafting.SIGNATURES))
    if missing > 0 and arguments.out is None:
        raise InvalidInput(
            f"must be given: {missing} more have to sign, and they sign the file", field="--out"
        )
    if arguments.out is not None:
        write_file(arguments.out, drafts.encode(draft))
        lines = [*lines, f"proposal:  {arguments.out}"]
    name, proposed = f"acknowledged-{draft.record.number}", False
    if missing > 0:
        out = arguments.out
        step = f"{missing} more: committee sign {out} --key …; then committee propose {out}"
    else:
        proposing.propose(draft, name, reader, writer, replace=True, dry_run=arguments.dry_run)
        proposed = not arguments.dry_run
        step = "quorate committee status" if proposed else "the same without --dry-run"
        lines = [*lines, f"{name} {'is' if proposed else 'would be'} proposed"]
    lines = [*lines, f"next:      {step}"]
    about = {
        "member": found.leaves,
        "by": found.joins.name,
        "name": name,
        "proposed": proposed,
        "dryRun": arguments.dry_run,
    }
    return Result(lines, document | about)


COMMAND = Command(
    words=("committee", "acknowledge"),
    summary="sign what was prepared for a member under quarantine: a spare takes its seat",
    description=(
        "After a quarantine the operator prepares the record by which a spare takes the liar's\n"
        "seat, and nothing happens before administrators sign it. This reads it from the\n"
        "SafetyCommittee, follows the chain at the members, refuses whatever else it would\n"
        "change, asks the spare itself for its key, signs with yours, and puts it among the\n"
        "proposals: the operator takes it to the members, who check it as any other."
    ),
    examples=(
        "committee acknowledge --key ann.key",
        "committee acknowledge --key ann.key --dry-run",
        "committee acknowledge --key ann.key --out replace.json",
    ),
    notes=(
        "It needs what the ClusterRole quorate-committee-proposer allows. Whatever else should\n"
        "change (other judges, another node), committee replace makes by hand.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
)
