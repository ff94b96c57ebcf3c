"""``gate job``: print the Job, or CronJob, that runs a suite in a cluster as a sandbox."""

import ipaddress
import re
from argparse import ArgumentParser, Namespace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import yaml

from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate_cli.command import Command, Result
from quorate_cli.evaluation.arguments import add_endpoint, add_suite, chosen_suite, limits_of
from quorate_cli.evaluation.job import Peer, Plan, objects
from quorate_cli.evaluation.schedule import cron, parse_duration, rerun_interval
from quorate_cli.progress import Progress
from quorate_evaluation.digests import suite_digest
from quorate_evaluation.endpoint import Settings
from quorate_evaluation.thresholds import merged

_PASSED_ON: Final = (
    "endpoint",
    "served-model",
    "seed",
    "concurrency",
    "timeout",
    "deadline",
    "requests-max",
    "errors-max",
)
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?\Z")
_IMAGE: Final = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}\Z")
_LABEL: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_./-]{0,315})=([A-Za-z0-9_.-]{0,63})\Z")
_IN_CLUSTER: Final = re.compile(r"[a-z0-9-]+\.([a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?\Z")


def _arguments(parser: ArgumentParser) -> None:
    add_suite(parser)
    add_endpoint(parser)
    parser.add_argument(
        "-n", "--namespace", metavar="NS", required=True, help="where it runs: none that enforces"
    )
    parser.add_argument(
        "--model-namespace", metavar="NS", required=True, help="where the AttestedModel is"
    )
    parser.add_argument("--name", help="of the objects (default: gate-SUITE)")
    parser.add_argument(
        "--manifest-digest", metavar="DIGEST", required=True, help="the model, as sha256:…"
    )
    parser.add_argument("--image", required=True, help="the command line's image: NAME@sha256:…")
    parser.add_argument(
        "--key-secret", metavar="NAME", required=True, help="Secret with the signing key, as 'key'"
    )
    parser.add_argument(
        "--api-key-secret", metavar="NAME", help="Secret with the endpoint's API key, as 'key'"
    )
    parser.add_argument("--runtime-class", metavar="NAME", help="RuntimeClass of the pod")
    parser.add_argument(
        "--endpoint-pods",
        metavar="LABEL=VALUE",
        action="append",
        default=[],
        help="label of the endpoint's pods, for the NetworkPolicy; repeatable",
    )
    parser.add_argument(
        "--endpoint-port", metavar="PORT", type=int, help="port of these pods (default: the URL's)"
    )
    parser.add_argument(
        "--endpoint-cidr", metavar="CIDR", help="addresses of an endpoint outside the cluster"
    )
    parser.add_argument(
        "--api-server",
        metavar="IP:PORT",
        action="append",
        required=True,
        help="address of the API server, for the NetworkPolicy; repeatable: kubectl get "
        "endpointslices kubernetes",
    )
    often = parser.add_mutually_exclusive_group()
    often.add_argument("--max-age", metavar="AGE", help="run again at 2/3 of it: 30d, 12h, 90m")
    often.add_argument("--every", metavar="AGE", help="run again at least this often")


def _run(arguments: Namespace, _progress: Progress) -> Result:
    suite, given = chosen_suite(arguments)
    limits_of(arguments)
    Settings(url=arguments.endpoint, model=arguments.served_model)
    plan = _plan(arguments, suite.name)
    listed = objects(plan)
    digest = suite_digest(suite, merged(suite.thresholds, given))
    head = [
        f"# Runs {suite.name} ({digest}).",
        "# Name it in the AttestedModel, and the suite's digest in a policy's gate:",
        f"#   evidenceFrom: [{{name: {suite.name}, configMap: "
        f"{{name: {plan.config_map}, key: {plan.config_key}}}}}]",
    ]
    if plan.schedule:
        head.append(f"# The first run: kubectl create job --from=cronjob/{plan.name} first-run")
    text = yaml.safe_dump_all(listed, sort_keys=False, width=2**31)
    document = {"kind": "List", "apiVersion": "v1", "items": listed}
    return Result([*head, *text.rstrip("\n").split("\n")], document)


def _plan(arguments: Namespace, suite: str) -> Plan:
    name = _named(arguments.name or f"gate-{suite}", "--name")
    if not _IMAGE.match(arguments.image):
        raise InvalidInput("must be pinned: NAME@sha256:…", field="--image")
    for field in ("runtime_class", "api_key_secret"):
        if getattr(arguments, field) is not None:
            _named(getattr(arguments, field), f"--{field.replace('_', '-')}")
    return Plan(
        name=name,
        namespace=_named(arguments.namespace, "--namespace"),
        model_namespace=_named(arguments.model_namespace, "--model-namespace"),
        config_map=name,
        config_key=f"{suite}.json",
        image=arguments.image,
        run_arguments=_run_arguments(arguments),
        manifest_digest=check_digest(arguments.manifest_digest, "--manifest-digest"),
        deadline_seconds=int(arguments.deadline),
        key_secret=_named(arguments.key_secret, "--key-secret"),
        api_key_secret=arguments.api_key_secret or "",
        runtime_class=arguments.runtime_class or "",
        schedule=_schedule(arguments, name),
        peer=_peer(arguments),
        api_servers=tuple(_address(text) for text in arguments.api_server),
    )


def _run_arguments(arguments: Namespace) -> tuple[str, ...]:
    values = {flag: getattr(arguments, flag.replace("-", "_")) for flag in _PASSED_ON}
    words = (f"--{flag}={value}" for flag, value in values.items())
    return (arguments.suite, *words, *(f"--threshold={text}" for text in arguments.threshold))


def _schedule(arguments: Namespace, name: str) -> str:
    if arguments.max_age is None and arguments.every is None:
        return ""
    interval: timedelta = (
        rerun_interval(parse_duration(arguments.max_age, "--max-age"))
        if arguments.max_age is not None
        else parse_duration(arguments.every, "--every")
    )
    return cron(interval, f"{arguments.namespace}/{name}")


def _peer(arguments: Namespace) -> Peer:
    url = urlsplit(arguments.endpoint)
    port = arguments.endpoint_port or url.port or (443 if url.scheme == "https" else 80)
    if not 1 <= port <= 65535:
        raise InvalidInput("is no port", field="--endpoint-port")
    if arguments.endpoint_cidr is not None:
        return Peer(port=port, cidr=_network(arguments.endpoint_cidr, "--endpoint-cidr"))
    host = _IN_CLUSTER.match(url.hostname or "")
    if host is None:
        raise InvalidInput(
            "must be SERVICE.NAMESPACE.svc, or its addresses be given",
            field="--endpoint",
            fix="add --endpoint-cidr",
        )
    labels = []
    for text in arguments.endpoint_pods:
        label = _LABEL.match(text)
        if label is None:
            raise InvalidInput("must be LABEL=VALUE", field="--endpoint-pods")
        labels.append((label[1], label[2]))
    return Peer(port=port, namespace=host[1], labels=tuple(labels))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise InvalidInput("must be IP:PORT", field="--api-server")
    return _network(host.strip("[]"), "--api-server"), int(port)


def _network(text: str, field: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise InvalidInput("is no address", field=field) from None
    if network.prefixlen == 0:
        raise InvalidInput("is every address there is", field=field)
    return str(network)


def _named(text: str, field: str) -> str:
    if not _NAME.match(text):
        raise InvalidInput("is no name: lower case, digits, dashes, at most 52", field=field)
    return text


COMMAND = Command(
    words=("gate", "job"),
    summary="print a sandboxed Job or CronJob that runs a suite",
    description=(
        "Print, and do not apply, the objects that run a suite in a cluster: a Job (with\n"
        "--max-age or --every a CronJob), its NetworkPolicy (egress to the endpoint, DNS and the\n"
        "API server only), and the right to write one ConfigMap, which the operator may read.\n"
        "The container that runs the suite holds neither the signing key nor a token; another\n"
        "signs."
    ),
    examples=(
        "gate job over-refusal --endpoint http://demo.team-a.svc/v1 --endpoint-port 8000 \\\n"
        "      --endpoint-pods app=demo -n evaluation --model-namespace team-a \\\n"
        "      --manifest-digest sha256:… --image registry.example.com/quorate/cli@sha256:… \\\n"
        "      --key-secret evaluator --api-server 192.0.2.10:6443 --max-age 30d \\\n"
        "  | kubectl apply -f -",
    ),
    arguments=_arguments,
    run=_run,
    notes=(
        "In a namespace that enforces, every pod must serve a model: run it in another one.\n"
        "NetworkPolicies hold only where the cluster's network enforces them."
    ),
)
