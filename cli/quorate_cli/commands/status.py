"""``status``: components, namespaces, policies, models, pods and incidents on one screen."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

import msgspec

from quorate_cli import exit_codes
from quorate_cli.cluster import connection
from quorate_cli.command import Command, Result
from quorate_cli.layout import terminal_width
from quorate_cli.progress import Progress
from quorate_cli.status.overview import Overview, read_overview
from quorate_cli.status.text import render


def _arguments(parser: ArgumentParser) -> None:
    connection.add_arguments(parser, namespace=False)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    now = datetime.now(UTC)
    overview = read_overview(connection.connect(arguments).reader, now)
    return result(overview, terminal_width(), now)


def result(overview: Overview, width: int, now: datetime) -> Result:
    """What the command prints. Showing that something is broken is not a failure of showing it."""
    code = exit_codes.UNREACHABLE if overview.gaps else exit_codes.OK
    return Result(render(overview, width, now), msgspec.to_builtins(overview), code)


COMMAND = Command(
    words=("status",),
    summary="show an installation on one screen",
    description=(
        "Show the components with their versions, the namespaces by mode, policies that do not\n"
        "compile, models that are not ready, pods that serve, wait at the gate or start, what was\n"
        "refused in the last hour and why, and incidents that nobody has resolved.\n"
        "What needs a person comes first; --output json holds every row. Nothing is changed."
    ),
    examples=("status", "status --context staging --output json"),
    notes=(
        "EVIDENCE is how long the evidence that policies ask for still counts.\n"
        "Refusals are read from Events: a pod that somebody applied by hand and was refused\n"
        "leaves none. Exit code 3 also says that a part could not be read; the rest is shown.\n"
        "For what is wrong and how to mend it: doctor and explain."
    ),
    arguments=_arguments,
    run=_run,
)
