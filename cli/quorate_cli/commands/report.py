"""``report``: the verdicts on namespaces as OpenReports objects."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

from quorate_cli import exit_codes
from quorate_cli.cluster import connection
from quorate_cli.cluster.kinds import Document
from quorate_cli.command import Command, Result
from quorate_cli.layout import table, terminal_width
from quorate_cli.policy_reports.openreports import listing, objects
from quorate_cli.preview.outcome import Preview
from quorate_cli.preview.run import preview_namespaces
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    connection.add_arguments(parser, namespace=True)


def _run(arguments: Namespace, progress: Progress) -> Result:
    now = datetime.now(UTC)
    reader = connection.connect(arguments).reader
    chosen = (arguments.namespace,) if arguments.namespace else None
    found = preview_namespaces(reader, chosen, None, now, progress)
    return result(found, now, terminal_width(), whole=chosen is None)


def result(preview: Preview, now: datetime, width: int, *, whole: bool) -> Result:
    """What the command prints. Reporting that something is refused is no failure to report it."""
    documents = objects(preview, now, whole=whole)
    header = ("KIND", "NAMESPACE", "NAME", "PASS", "FAIL", "WARN", "ERROR", "SKIP")
    lines = table([_row(d) for d in documents], width, header=header)
    lines += [f"? {gap.message}" for gap in preview.gaps]
    code = exit_codes.UNREACHABLE if preview.gaps else exit_codes.OK
    return Result(lines or ["no namespace has opted in"], listing(documents), code)


def _row(document: Document) -> tuple[str, ...]:
    metadata, summary = document["metadata"], document["summary"]
    counts = [str(summary[name]) for name in ("pass", "fail", "warn", "error", "skip")]
    return (document["kind"], metadata.get("namespace", ""), metadata["name"], *counts)


COMMAND = Command(
    words=("report",),
    summary="print the verdicts as OpenReports objects",
    description=(
        "Judge the pods and models of a namespace, or of all that carry a mode, as preview does,\n"
        "and print the verdicts as Report objects of openreports.io/v1alpha1; of all namespaces,\n"
        "with a ClusterReport that has a line for each. Nothing is changed: apply them yourself."
    ),
    examples=("report", "report -n team-a | kubectl apply -f -", "report -o table"),
    notes=(
        "`fail`: refused where the namespace enforces. `warn`: would be. `skip`: an exempt pod.\n"
        "`error`: could not be judged; the exit code is then 3. Otherwise it is 0.\n"
        "Past 500 results a namespace has further reports: quorate-2, quorate-3."
    ),
    arguments=_arguments,
    run=_run,
    forms=("yaml", "json", "table"),
)
