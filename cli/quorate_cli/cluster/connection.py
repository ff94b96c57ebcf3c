"""Connecting as kubectl does: the same flags, the same kubeconfig, the same default namespace."""

import os
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from quorate import names
from quorate.errors import InvalidInput, Unavailable
from quorate_cli.cluster.reader import Reader

if TYPE_CHECKING:
    from quorate_cli.cluster.writer import Writer

DEFAULT_KUBECONFIG = "~/.kube/config"
_MISSHAPEN = (ValueError, KeyError, TypeError, AttributeError)
"""What the client raises for a file that is YAML and no kubeconfig."""
IN_CLUSTER_NAMESPACE = Path(names.API_TOKEN_PATH) / "namespace"


@dataclass(frozen=True, slots=True)
class Connection:
    """A reader, and the namespace that is meant when none is named."""

    reader: Reader
    namespace: str


def add_arguments(parser: ArgumentParser, *, namespace: bool) -> None:
    """The flags that say which cluster, and with ``namespace`` which namespace."""
    parser.add_argument("--kubeconfig", metavar="FILE", help="as kubectl's (default: $KUBECONFIG)")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    if namespace:
        parser.add_argument(
            "-n", "--namespace", metavar="NS", help="namespace (default: the context's)"
        )


def connect(arguments: Namespace) -> Connection:
    """Connect as the flags say. Raises Unavailable without a usable configuration."""
    api, namespace = api_client(arguments)
    from quorate_cli.cluster.api_reader import ApiReader

    return Connection(ApiReader(api), namespace)


def connect_writer(arguments: Namespace) -> "tuple[Writer, str]":
    """A writer and the namespace that is meant. Raises as :func:`connect`."""
    api, namespace = api_client(arguments)
    from quorate_cli.cluster.api_writer import ApiWriter

    return ApiWriter(api), namespace


def connect_both(arguments: Namespace) -> "tuple[Reader, Writer]":
    """A reader and a writer of one API server. Raises as :func:`connect`."""
    api, _ = api_client(arguments)
    from quorate_cli.cluster.api_reader import ApiReader
    from quorate_cli.cluster.api_writer import ApiWriter

    return ApiReader(api), ApiWriter(api)


def api_client(arguments: Namespace) -> tuple[Any, str]:
    """The official client as the flags say, and the namespace that is meant."""
    # Late, because it takes a second to load and the offline commands do without.
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise Unavailable(
            f"the Kubernetes client cannot be imported: {error}", fix="pip install 'quorate[cli]'"
        ) from None
    settings = client.Configuration()
    try:
        default = _load(config, settings, arguments.kubeconfig, arguments.context)
    except (config.ConfigException, yaml.YAMLError, OSError, *_MISSHAPEN) as error:
        raise Unavailable(
            f"no usable kubeconfig: {' '.join(str(error).split())}",
            fix="use --kubeconfig or --context, or set KUBECONFIG",
        ) from None
    settings.retries = False
    namespace = getattr(arguments, "namespace", None) or default
    return client.ApiClient(settings), _checked(namespace)


def _load(config: Any, settings: Any, kubeconfig: str | None, context: str | None) -> str:
    """Fill ``settings``; returns the default namespace."""
    chosen = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    paths = [Path(part).expanduser() for part in chosen.split(os.pathsep) if part]
    if kubeconfig and not paths[0].is_file():
        raise FileNotFoundError(f"{kubeconfig} does not exist")
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ and IN_CLUSTER_NAMESPACE.is_file()
    if in_cluster and not context and not any(path.is_file() for path in paths):
        config.load_incluster_config(settings)
        return IN_CLUSTER_NAMESPACE.read_text("utf-8").strip()
    # What a credential plugin obtained is not written back: the file is the user's.
    config.load_kube_config(chosen, context, settings, persist_config=False)
    contexts, active = config.list_kube_config_contexts(chosen)
    found = next((c for c in contexts if c["name"] == context), active)
    return str(found["context"].get("namespace") or "default")


def _checked(namespace: str) -> str:
    if not namespace.replace("-", "").isalnum() or len(namespace) > 63:
        raise InvalidInput("is no namespace's name", field="--namespace")
    return namespace
