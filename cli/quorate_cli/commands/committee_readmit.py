"""``committee readmit``: propose that a member under quarantine votes again."""

from argparse import ArgumentParser, Namespace

from quorate.consensus import clean_run, successors
from quorate.consensus.quarantine import digest_of
from quorate_cli.command import Command, Result
from quorate_cli.committee import clean_runs, drafting, seat_changes
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--member", required=True, help="who votes again")
    seat_changes.add_new_key(parser)
    clean_runs.add_arguments(parser)
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head, member = drafting.head(arguments), arguments.member
    key = seat_changes.member_key(arguments.new_key)
    # What no member would sign is refused before anybody is asked for a run.
    record = successors.readmission(head, arguments.reason, member, key, None)
    data, about = b"", "none: who signs this vouches for the member"
    if not arguments.without_clean_run:
        count, data = clean_runs.find(arguments, head, member)
        evidence = digest_of(data)
        record = successors.readmission(head, arguments.reason, member, key, evidence)
        clean_run.check(record, head, data, drafting.SIGNATURES)
        about = f"{count.unsafe} unsafe, {count.safe} safe"
    result = drafting.finish(arguments, head, record, data)
    lines = [*result.lines[:2], f"clean run: {about}", *result.lines[2:]]
    return Result(lines, result.document | {"cleanRun": record.evidence or ""})


COMMAND = Command(
    words=("committee", "readmit"),
    summary="propose that a member under quarantine votes again",
    description=(
        "Propose that a member's vote counts again: a Readmission record. Only with a new key:\n"
        "what the old one signed convicted it. Find out first why it said two things, or was\n"
        "wrong; make its store anew (quorate_consensus init).\n"
        "\n"
        "It rests on 200 clean canaries, 100 unsafe and 100 safe ones in a row of each, which\n"
        "the pod with the deck asked it in the epoch in force, while its votes counted for\n"
        "nothing. Members keep them until the next epoch; they are recomputed here, and by\n"
        "every member before it signs. With fewer it is refused."
    ),
    examples=(
        "committee readmit --member member-1 --new-key member-1.pub --reason 'disk replaced' \\\n"
        "    --key admin.key --out readmit.json",
        "committee readmit --member member-1 --new-key member-1.pub --reason 'no deck here' \\\n"
        "    --without-clean-run --chain chain.json --key admin.key --out readmit.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
