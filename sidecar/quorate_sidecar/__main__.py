"""``python3 -m quorate_sidecar measure|serve|probe``."""

import argparse
import sys
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from quorate_sidecar import settings

    top = argparse.ArgumentParser(prog="quorate-sidecar", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (
        ("measure", "hash the mounted model and compare it with the certificate"),
        ("serve", "stand between clients and the model server"),
    ):
        settings.add_arguments(commands.add_parser(name, help=text))
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["probe"]:
        # Nothing else is imported for it: the kubelet pays for every import, again and again.
        from quorate_sidecar import probe

        return probe.main(given[1:])
    return _run(parser().parse_args(given))


def _run(arguments: argparse.Namespace) -> int:
    import uvloop

    from quorate.errors import InvalidInput
    from quorate_io import logs
    from quorate_sidecar.settings import Settings

    logs.set_up(f"quorate-{'measure' if arguments.command == 'measure' else 'sidecar'}")
    try:
        settings = Settings.from_arguments(arguments)
    except InvalidInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if arguments.command == "measure":
        from quorate_sidecar.measure import command

        return uvloop.run(command.run(settings))
    from quorate_sidecar import service

    return uvloop.run(service.serve(settings))


if __name__ == "__main__":
    sys.exit(main())
