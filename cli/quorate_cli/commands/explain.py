"""``explain``: why a pod is refused, waits or runs, and what would change that."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quorate_cli import exit_codes
from quorate_cli.cluster import connection
from quorate_cli.cluster.reader import Reader
from quorate_cli.command import Command, Result
from quorate_cli.commands import preview
from quorate_cli.explain.chain import explain
from quorate_cli.explain.explanation import Explanation
from quorate_cli.explain.facts import Facts, gather_named, gather_template
from quorate_cli.explain.pod_file import declared_namespace, read_pod
from quorate_cli.explain.subject import parse_subject
from quorate_cli.explain.target import Target
from quorate_cli.explain.text import render
from quorate_cli.layout import terminal_width
from quorate_cli.preview.run import preview_applied
from quorate_cli.preview.subject import names_policy, parse_preview
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "subject",
        nargs="?",
        metavar="KIND/NAME",
        help="pod/NAME, model/NAME, a workload (deployment/NAME, …), or a policy: "
        "safetypolicy/NAME, clustersafetypolicy/NAME",
    )
    what.add_argument(
        "-f",
        "--filename",
        metavar="FILE",
        type=Path,
        help="manifest of a pod or workload that was not created, or was refused",
    )
    connection.add_arguments(parser, namespace=True)


def _run(arguments: Namespace, progress: Progress) -> Result:
    connected = connection.connect(arguments)
    if arguments.subject is not None and names_policy(arguments.subject):
        named, now = parse_preview(arguments.subject, connected.namespace), datetime.now(UTC)
        only = None if named.namespace else arguments.namespace
        found = preview_applied(connected.reader, named, only, None, now, progress)
        return preview.result(found, terminal_width())
    facts = _facts(connected.reader, arguments, connected.namespace)
    return result(explain(facts, datetime.now(UTC)), terminal_width())


def _facts(reader: Reader, arguments: Namespace, namespace: str) -> Facts:
    if arguments.filename is None:
        return gather_named(reader, parse_subject(arguments.subject, namespace))
    if arguments.namespace is None:
        namespace = declared_namespace(arguments.filename) or namespace
    pod = read_pod(arguments.filename, namespace)
    return gather_template(reader, pod, Target("file", namespace, str(arguments.filename)))


def result(explanation: Explanation, width: int) -> Result:
    """What the command prints, and its exit code."""
    return Result(
        render(explanation, width),
        msgspec.to_builtins(explanation),
        _exit_code(explanation),
    )


def _exit_code(explanation: Explanation) -> int:
    answers = {decision.answer for decision in explanation.decisions}
    if "unknown" in answers:
        return exit_codes.UNREACHABLE
    if "no" in answers and explanation.namespace.enforced:
        return exit_codes.DENIED
    return exit_codes.OK


COMMAND = Command(
    words=("explain",),
    summary="say why a pod is refused, waits or runs",
    description=(
        "Print the chain that decides about a pod or a model: the namespace's mode, the policies\n"
        "that select it (and why the others do not), each requirement with the evidence that\n"
        "shows it and who signed that, the committee's certificate and its voters, what happened\n"
        "on the node, and the verdict. Each denial comes with the commands that would fix it.\n"
        "\n"
        "Signatures and certificates are verified again here, from what the API server holds: a\n"
        "wrong status cannot make this say yes. What you may not read is listed, and the verdict\n"
        "is then `not known`, never `yes`. With -f, the pod is completed as the webhook would\n"
        "complete it, and what would be injected is listed. Of a policy, it says what the policy\n"
        "refuses today, as preview does. Nothing is changed."
    ),
    examples=(
        "explain pod/chat-5d4c7b-x2x1n -n team-a",
        "explain deployment/chat -n team-a",
        "explain model/demo -n team-a --output json",
        "explain -f pod.yaml -n team-a",
        "explain clustersafetypolicy/platform-floor",
    ),
    notes=(
        "Three questions: may it be created, may it run, and, once it is let go, does it serve.\n"
        "Exit code 1 if one is answered with no; in a namespace that does not enforce, 0.\n"
        "It reads policies, the model, its claim, the namespace, and the ConfigMaps\n"
        "quorate-genesis and quorate-injection in quorate-system."
    ),
    arguments=_arguments,
    run=_run,
)
