"""``python3 -m quorate_consensus``: ``serve`` runs a member, ``init`` makes its vote store,
``try-deck`` asks the judges that ship about a deck of canaries.
"""

import asyncio
import logging
import signal
import sys

import uvloop
from prometheus_client import CollectorRegistry

from quorate.errors import QuorateError
from quorate_consensus import deck_trial, store_init
from quorate_consensus.member import running
from quorate_consensus.metrics import Metrics
from quorate_consensus.settings import Settings, parse_arguments
from quorate_consensus.spare import waiting
from quorate_io import logs, resident
from quorate_io.clock import SystemClock
from quorate_io.health import HealthServer

log = logging.getLogger("quorate_consensus")


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.spare and not await _seated(settings, stop):
        return
    registry = CollectorRegistry()
    async with running(settings, SystemClock(), Metrics(registry)) as member:
        health = HealthServer(ready=member.not_ready, registry=registry)
        await health.listen([settings.health.host or ""], settings.health.port)
        resident.settle()
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(member.until_rekeyed())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                log.warning("ends, to start again with the key that its seat names")
        finally:
            for end in ends:
                end.cancel()
            await health.close()


async def _seated(settings: Settings, stop: asyncio.Event) -> bool:
    """Wait until a record gives this spare a seat; False if it is told to stop before."""
    async with waiting(settings, SystemClock()) as spare:
        health = HealthServer(ready=spare.not_ready, registry=CollectorRegistry())
        await health.listen([settings.health.host or ""], settings.health.port)
        ends = [asyncio.create_task(one.wait()) for one in (stop, spare.seated)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await health.close()
    if stop.is_set():
        return False
    log.info("%s has a seat now", settings.spare)
    return True


def main() -> int:
    """Serve until SIGTERM or until the member's key was replaced, make a store, or try a deck.

    Exit code 2 if settings or files cannot be used.
    """
    logs.set_up("quorate-member")
    try:
        if sys.argv[1:2] == [deck_trial.COMMAND]:
            return deck_trial.run(sys.argv[2:])
        if sys.argv[1:2] == [store_init.COMMAND]:
            store_init.init(store_init.parse(sys.argv[2:]))
        else:
            uvloop.run(_serve(parse_arguments(sys.argv[1:])))
    except QuorateError as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
