"""``audit verify``: check the hash chain of a sidecar's audit log."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from quorate.audit.chain import Chain, Report, Verifier
from quorate.audit.records import LINE_BYTES, Outcome
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.progress import Progress

_OUTCOMES: Final = frozenset(get_args(Outcome))
"""How requests ended: counted beside the records, one a close record."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="audit log; several: oldest first"
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="the oldest files were rotated away: do not demand the first record",
    )
    parser.add_argument(
        "--head", metavar="HASH", help="hash of the last record, as kept elsewhere: shows a cut end"
    )


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, none longer than a verifier needs to see to refuse it."""
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES + 2):
            yield line


def _run(arguments: Namespace, _progress: Progress) -> Result:
    verifier = Verifier(None if arguments.partial else Chain())
    for path in arguments.files:
        for line in _lines(path):
            verifier.feed(line)
    report = verifier.report()
    problem = report.broken.message if report.broken else ""
    if not problem and not report.records:
        problem = "holds no record"
    if not problem and arguments.head and arguments.head != report.head:
        problem = f"ends with {report.head}, not with the given head: records are missing"
    return Result(
        _text(report, problem),
        {
            "intact": not problem,
            "problem": problem,
            "records": report.records,
            "firstSeq": report.first_seq,
            "nextSeq": report.next_seq,
            "head": report.head,
            "counts": report.counts,
            "interrupted": list(report.interrupted),
            "truncatedBytes": report.truncated_bytes,
        },
        exit_codes.DENIED if problem else exit_codes.OK,
    )


def _text(report: Report, problem: str) -> list[str]:
    if problem:
        return [f"DENIED: {problem}", f"records before it: {report.records}"]
    kinds = {kind: number for kind, number in report.counts.items() if kind not in _OUTCOMES}
    ends = {kind: number for kind, number in report.counts.items() if kind in _OUTCOMES}
    lines = [f"intact: {report.records} records ({_counted(kinds)})"]
    if ends:
        lines.append(f"closed: {_counted(ends)}")
    lines.append(f"head:   {report.head}")
    if report.interrupted:
        lines.append(f"opened and never closed: {len(report.interrupted)}")
    if report.truncated_bytes:
        lines.append(f"unfinished last line: {report.truncated_bytes} bytes, left by a crash")
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "none"


COMMAND = Command(
    words=("audit", "verify"),
    summary="check the hash chain of an audit log",
    description=(
        "Check that no record of an audit log was changed, removed or moved. A chain alone cannot\n"
        "show that its end was cut: compare the printed head with one kept elsewhere (--head)."
    ),
    examples=("audit verify audit-000001.jsonl audit-000002.jsonl",),
    arguments=_arguments,
    run=_run,
)
