"""``doctor``: a readiness list of the installation."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

import msgspec

from quorate_cli.cluster import connection
from quorate_cli.command import Command, Result
from quorate_cli.doctor.examine import examine, exit_code
from quorate_cli.doctor.finding import Finding
from quorate_cli.doctor.survey import survey
from quorate_cli.doctor.text import render
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    connection.add_arguments(parser, namespace=False)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    reader = connection.connect(arguments).reader
    return result(examine(survey(reader, datetime.now(UTC))), terminal_width())


def result(findings: list[Finding], width: int) -> Result:
    """What the command prints, and its exit code."""
    code = exit_code(findings)
    return Result(
        render(findings, width),
        {"ready": code == 0, "findings": msgspec.to_builtins(findings)},
        code,
    )


COMMAND = Command(
    words=("doctor",),
    summary="check an installation and say how to mend it",
    description=(
        "Check the API server's version and clock, the CRDs, operator, webhook and member, the\n"
        "genesis, the webhook configurations, the floor of admission policies (compared with what\n"
        "this version generates), the webhook's certificate, namespaces, policies, exemptions\n"
        "and models. Each line is ✓ in order, ✗ failed, ! worth a look, or ? not readable by\n"
        "you; what is not in order comes with the commands that would mend it. Nothing is changed."
    ),
    examples=("doctor", "doctor --context staging --output json"),
    notes=(
        "Exit code 0: nothing failed; 1: something did; 3: nothing failed, but something could\n"
        "not be looked at. Lines with ! do not count. Reading all of it takes the rights of a\n"
        "cluster administrator: CRDs, admission configurations, and one Secret in quorate-system\n"
        "(of quorate-webhook-tls only the certificate is used)."
    ),
    arguments=_arguments,
    run=_run,
)
