"""``python3 -m quorate_operator run|install|check``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from quorate import names
from quorate.errors import QuorateError
from quorate_io import logs
from quorate_io.clock import SystemClock
from quorate_io.operator_client import OperatorClient
from quorate_io.registry import RegistryClient
from quorate_operator import config
from quorate_operator.check import Place, check
from quorate_operator.effects.api_server import ApiServer, configuration
from quorate_operator.install.admins import read_admins
from quorate_operator.install.command import install
from quorate_operator.install.seats import read_plan
from quorate_operator.service import Operator
from quorate_operator.sources.settings import load_sources, source_files
from quorate_operator.webhook_tls import LEAF_LIFE

PATIENCE = 300.0
"""Seconds ``install`` and ``check`` keep trying by default."""

log = logging.getLogger("quorate_operator")


async def _run(found: argparse.Namespace) -> int:
    files = config.files()
    contents = files.contents()
    settings = config.load(contents)
    source_paths = source_files(config.directory())
    source_contents = source_paths.contents()
    sources = load_sources(source_contents)
    watched = ((files, contents), (source_paths, source_contents))
    clock = SystemClock()
    digest, seats = settings.genesis.digest_text, tuple(settings.genesis.members)
    url, token = settings.member_url, settings.token_file
    async with (
        ApiServer(await configuration()) as api,
        OperatorClient(url, seats, digest, token, clock=clock) as members,
        RegistryClient(sources.rules, sources.credentials, sources.context) as registries,
    ):
        operator = Operator(settings, watched, api, members, registries, sources.refresh, clock)
        await operator.run()
    return 0


async def _install(found: argparse.Namespace) -> int:
    plan, admins = read_plan(os.environ), read_admins(os.environ)
    async with ApiServer(await configuration()) as api:
        await install(api, found.namespace, SystemClock(), LEAF_LIFE, found.timeout, plan, admins)
    return 0


async def _check(found: argparse.Namespace) -> int:
    hosts = dict(pair.split("=", 1) for pair in found.host)
    async with ApiServer(await configuration()) as api:
        failed = await check(api, Place(found.namespace, hosts), found.timeout)
    for reason in failed:
        log.error("%s", reason)
    return 1 if failed else 0


_COMMANDS = {"run": _run, "install": _install, "check": _check}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m quorate_operator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the operator until SIGTERM")
    once = commands.add_parser("install", help="make what is made once: keys, genesis, authority")
    whole = commands.add_parser("check", help="exit with 0 if the installation is whole, else 1")
    namespace = os.environ.get("QUORATE_NAMESPACE", names.NAMESPACE)
    for command in (once, whole):
        command.add_argument("--namespace", default=namespace)
        command.add_argument(
            "--timeout", type=float, default=PATIENCE, metavar="SECONDS", help="keep trying so long"
        )
    whole.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="SERVICE=HOST:PORT",
        help="dial this instead of a Service's name",
    )
    return parser


async def _until_signalled(found: argparse.Namespace) -> int:
    # kopf takes these over when it runs. The first process of a container has no defaults.
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await _COMMANDS[found.command](found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if all went well, 1 if not, 2 if the configuration cannot be used."""
    found = _parser().parse_args(arguments)
    logs.set_up(f"quorate-operator-{found.command}")
    try:
        return asyncio.run(_until_signalled(found))
    except asyncio.CancelledError:
        return 0 if found.command == "run" else 1
    except QuorateError as error:
        log.error("%s", error)
        return 2 if found.command == "run" else 1
    except ExceptionGroup as group:
        for cause in group.exceptions:
            log.error("cannot go on: %s", cause, exc_info=cause)
        return 1


if __name__ == "__main__":
    sys.exit(main())
