"""The command line of the cluster tool."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from tools.cluster import binaries
from tools.cluster.errors import ClusterError, ToolError
from tools.cluster.loading import load_images
from tools.cluster.progress import say
from tools.cluster.provider import DEFAULT_NODES
from tools.cluster.selection import select_provider

_EXAMPLES = """\
examples:
  python -m tools.cluster up                     create it, or mend it after a crash
  python -m tools.cluster up --nodes 3
  python -m tools.cluster load webhook sidecar   images that `python -m tools.images build` made
  python -m tools.cluster status --output json
  export KUBECONFIG=$(python -m tools.cluster kubeconfig)
  python -m tools.cluster stop kube-apiserver    what does the rest do without it?
  python -m tools.cluster start kube-apiserver
  python -m tools.cluster static-pod node-1 x < pod.json
  python -m tools.cluster static-pod node-1 x --remove
  python -m tools.cluster down                   leaves nothing but the caches

environment:
  QUORATE_PROVIDER   kind or local; default: kind where a Docker engine answers and kind is found
  QUORATE_CACHE      built programs and images; default: XDG_CACHE_HOME or ~/.cache
  QUORATE_STATE      running clusters of the local provider; default: /var/lib/quorate
"""


def _up(arguments: argparse.Namespace) -> None:
    select_provider().up(arguments.nodes)


def _down(_: argparse.Namespace) -> None:
    select_provider().down()


def _load(arguments: argparse.Namespace) -> None:
    load_images(select_provider(), arguments.images)


def _stop(arguments: argparse.Namespace) -> None:
    select_provider().stop(arguments.component)


def _start(arguments: argparse.Namespace) -> None:
    select_provider().start(arguments.component)


def _static_pod(arguments: argparse.Namespace) -> None:
    manifest = None if arguments.remove else sys.stdin.read()
    select_provider().static_pod(arguments.node, arguments.name, manifest)


def _kubeconfig(_: argparse.Namespace) -> None:
    status = select_provider().status()
    if "not created" in status.problems:
        raise ClusterError("the cluster is not up: run `python -m tools.cluster up`")
    print(status.kubeconfig)


def _status(arguments: argparse.Namespace) -> None:
    status = select_provider().status()
    if arguments.output == "json":
        print(json.dumps(asdict(status), indent=2))
        return
    print(f"{status.name} ({status.provider}): {'up' if status.up else 'not up'}")
    for problem in status.problems:
        print(f"  problem: {problem}")
    for name in ("kubeconfig", "kubectl", "helm", "registry"):
        print(f"  {name + ':':12}{getattr(status, name)}")
    print(f"  {'nodes:':12}{' '.join(status.nodes)}")


def _binaries(_: argparse.Namespace) -> None:
    built = binaries.ensure()
    for module in binaries.MODULES:
        for program in module.programs:
            print(built.path(program))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.cluster",
        description="A Kubernetes cluster for demo and tests, one per checkout.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "create the cluster, mend it, or see that it is well")
    up.add_argument(
        "--nodes",
        type=int,
        help=f"number of nodes; default: as many as there are, or {DEFAULT_NODES}; "
        "another number than there are makes the cluster anew",
    )
    command("down", _down, "remove the cluster and everything that belongs to it")
    load = command("load", _load, "put built images in reach of the nodes")
    load.add_argument("images", nargs="+", metavar="IMAGE", help="a name in build/images.json")
    command("kubeconfig", _kubeconfig, "print the path of the administrator's kubeconfig")
    status = command("status", _status, "say what is there")
    status.add_argument("--output", choices=("text", "json"), default="text")
    command("binaries", _binaries, "build the pinned programs and print their paths")
    for name, run in (("stop", _stop), ("start", _start)):
        added = command(name, run, f"{name} one component of the running cluster")
        added.add_argument("component", metavar="COMPONENT")
    static = command("static-pod", _static_pod, "give a node's kubelet a static pod's manifest")
    static.add_argument("node", metavar="NODE")
    static.add_argument("name", metavar="NAME", help="of the manifest, which is read from stdin")
    static.add_argument("--remove", action="store_true", help="take the manifest away again")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 when it did what was asked, 1 with the reason on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ToolError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command again goes on or begins anew")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
