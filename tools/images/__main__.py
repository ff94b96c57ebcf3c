"""The command line of the image tool."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.cluster.errors import ToolError
from tools.cluster.loading import load_images
from tools.cluster.naming import checkout_root
from tools.cluster.progress import say
from tools.cluster.selection import select_provider
from tools.images import store
from tools.images.build import build_base, build_images, build_model

_EXAMPLES = """\
examples:
  python -m tools.images build                  every Containerfile of the checkout, if it changed
  python -m tools.images build webhook sidecar
  python -m tools.images load                   every built image, to the running cluster
  python -m tools.images model build/model demo-model
  python -m tools.images base                   the Debian base, where there is no Docker engine

An image's name is the folder of its Containerfile. Digests: build/images.json.
"""


def _build(arguments: argparse.Namespace) -> None:
    build_images(checkout_root(), arguments.images)


def _load(arguments: argparse.Namespace) -> None:
    names = arguments.images or sorted(store.read(checkout_root()))
    load_images(select_provider(), names)


def _model(arguments: argparse.Namespace) -> None:
    print(build_model(checkout_root(), arguments.folder, arguments.name).reference)


def _base(_: argparse.Namespace) -> None:
    print(build_base())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.images",
        description="Build the checkout's images and load them into its cluster.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("build", _build, "build images whose inputs changed (default: all)"),
        ("load", _load, "put built images in reach of the cluster's nodes (default: all)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("images", nargs="*", metavar="IMAGE")
    model = commands.add_parser("model", help="make an image that holds a folder's files only")
    model.set_defaults(run=_model)
    model.add_argument("folder", type=Path, metavar="DIR")
    model.add_argument("name", metavar="NAME")
    commands.add_parser("base", help="make the Debian base image").set_defaults(run=_base)
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
