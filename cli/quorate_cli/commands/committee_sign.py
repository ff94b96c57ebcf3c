"""``committee sign``: sign a proposal as one of the administrators."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.consensus import draft as drafts
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.files import check_target, write_file
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the proposal; it is completed")
    parser.add_argument("--key", type=Path, required=True, help="private key of an administrator")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write it there (default: to the file itself)"
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    out: Path = arguments.out or arguments.file
    check_target(out)
    draft = drafting.signed(drafting.load(arguments.file), arguments)
    write_file(out, drafts.encode(draft))
    return drafting.result(draft, out)


COMMAND = Command(
    words=("committee", "sign"),
    summary="sign a proposal as one of the administrators",
    description=(
        "Sign the record in a proposal; offline. It says again what changes: read it with\n"
        "committee show before. What changes is computed from the record before, which the\n"
        "signed one names by its digest."
    ),
    examples=("committee sign rotate.json --key second-admin.key",),
    arguments=_arguments,
    run=_run,
)
