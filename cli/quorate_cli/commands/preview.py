"""``preview``: what a policy, or another mode of a namespace, would refuse today."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quorate.errors import InvalidInput
from quorate_cli import exit_codes
from quorate_cli.cluster import connection, kinds
from quorate_cli.cluster.modes import MODES
from quorate_cli.cluster.reader import Reader
from quorate_cli.command import Command, Result
from quorate_cli.layout import terminal_width
from quorate_cli.preview.outcome import Preview
from quorate_cli.preview.run import preview_applied, preview_draft, preview_namespaces
from quorate_cli.preview.subject import parse_preview, read_draft
from quorate_cli.preview.text import render
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "subject",
        nargs="?",
        metavar="KIND/NAME",
        help="namespace/NAME, or a policy in force: safetypolicy/NAME, clustersafetypolicy/NAME",
    )
    what.add_argument(
        "-f", "--filename", metavar="FILE", type=Path, help="a policy that is not applied yet"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="judge as if the namespaces had this mode (default: the one they have)",
    )
    connection.add_arguments(parser, namespace=True)


def _run(arguments: Namespace, progress: Progress) -> Result:
    connected = connection.connect(arguments)
    return result(
        look(connected.reader, connected.namespace, arguments, datetime.now(UTC), progress),
        terminal_width(),
    )


def look(
    reader: Reader, namespace: str, arguments: Namespace, now: datetime, progress: Progress
) -> Preview:
    """The preview that the arguments ask for; ``namespace`` is meant where none is named."""
    chosen: str | None = arguments.namespace
    mode: str | None = arguments.mode
    if arguments.filename is not None:
        draft = read_draft(arguments.filename, namespace)
        return preview_draft(reader, draft, chosen, mode, now, progress)
    named = parse_preview(arguments.subject, namespace)
    if named.kind is not kinds.NAMESPACE:
        return preview_applied(reader, named, chosen, mode, now, progress)
    if chosen not in (None, named.name):
        raise InvalidInput("names another namespace", field="--namespace")
    return preview_namespaces(reader, (named.name,), mode, now, progress)


def result(preview: Preview, width: int) -> Result:
    """What the command prints, and its exit code."""
    code = exit_codes.OK
    if preview.denied or preview.lost:
        code = exit_codes.DENIED
    elif preview.gaps:
        code = exit_codes.UNREACHABLE
    return Result(render(preview, width), msgspec.to_builtins(preview), code)


COMMAND = Command(
    words=("preview",),
    summary="say what a policy or a mode would refuse today",
    description=(
        "Judge every pod and AttestedModel that a policy selects, or that a namespace holds, as\n"
        "if the policy were applied or the namespace had another mode: which pods go on, which\n"
        "would be refused at their next start, which the escape scan would delete, and what each\n"
        "owner must do. Pods are judged by the code that answers admission, models under a policy\n"
        "that is not applied by the code that members ask. Nothing is changed."
    ),
    examples=(
        "preview -f policy.yaml",
        "preview -f policy.yaml -n team-a --mode enforce",
        "preview namespace/team-a --mode enforce",
        "preview clustersafetypolicy/platform-floor --output json",
    ),
    notes=(
        "Exit code 1 if a pod would be refused, or deleted and made again by nothing, where its\n"
        "namespace enforces (--mode enforce: in all of them); 3 if nothing would be and something\n"
        "could not be read.\n"
        "Without -n, a ClusterSafetyPolicy is judged in every namespace that carries a mode.\n"
        "Not seen: workloads without pods (explain deployment/NAME), evidence kept outside the\n"
        "AttestedModel under a policy that is not applied (its pods count as refused), and what\n"
        "other webhooks would change."
    ),
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
