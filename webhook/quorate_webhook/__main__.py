"""``python3 -m quorate_webhook``: the admission webhook."""

import asyncio
import logging
import signal
import sys
import time

import uvloop
from prometheus_client import CollectorRegistry

from quorate.admission.store import Store
from quorate.consensus import history as histories
from quorate.errors import QuorateError
from quorate_io import logs, resident
from quorate_io.clock import SystemClock
from quorate_io.health import HealthServer
from quorate_io.member_channels import MemberChannels
from quorate_io.tls import ServingCertificate
from quorate_webhook.cache.cache import Cache, build_cache
from quorate_webhook.cache.client import connect
from quorate_webhook.cache.pending_pods import PendingPods
from quorate_webhook.chain_follower import ChainFollower
from quorate_webhook.metrics import Metrics
from quorate_webhook.server import WebhookServer
from quorate_webhook.settings import Settings, parse_arguments, read_genesis, read_injections

log = logging.getLogger("quorate_webhook")


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    certificate = ServingCertificate(settings.tls_dir / "tls.crt", settings.tls_dir / "tls.key")
    genesis = read_genesis(settings.genesis_dir)
    current, *previous = read_injections(settings.injection, genesis)
    clock, metrics = SystemClock(), Metrics(registry := CollectorRegistry())
    client = await connect(settings.kubeconfig)
    store = Store(current, histories.begin(genesis), tuple(previous))
    members = MemberChannels(
        settings.member_url, sorted(genesis.members), genesis.digest_text, None, clock
    )
    chain = ChainFollower(members, store)
    cache = build_cache(
        store,
        PendingPods(current),
        client,
        metrics,
        now=clock.now,
        monotonic=time.monotonic,
        stranger=chain.want,
        stale_seconds=settings.stale_seconds,
    )
    metrics.follow(cache)
    server = WebhookServer(cache.world, clock, metrics)
    health = HealthServer(
        ready=lambda: ["stopping"] if stop.is_set() else cache.not_ready() + chain.not_ready(),
        registry=registry,
    )
    watching = asyncio.create_task(certificate.watch())
    following = asyncio.create_task(chain.run())
    try:
        async with cache.following():
            await health.listen([settings.health.host or ""], settings.health.port)
            await server.listen(settings.listen.host, settings.listen.port, certificate.context)
            await _run(settings, cache, server, stop)
    finally:
        watching.cancel()
        following.cancel()
        await members.close()
        await health.close()
        await client.close()


async def _run(
    settings: Settings, cache: Cache, server: WebhookServer, stop: asyncio.Event
) -> None:
    warming = asyncio.create_task(_warm(cache))
    await stop.wait()
    warming.cancel()
    log.info("stopping in %g s", settings.drain_seconds)
    server.drain()
    await asyncio.sleep(settings.drain_seconds)
    await server.close()


async def _warm(cache: Cache) -> None:
    """Once everything is known, have the garbage collector leave it alone."""
    await cache.synced()
    resident.settle()
    log.info("ready", extra={f"known_{kind}": n for kind, n in cache.counts().items()})


def main() -> int:
    """Serve until SIGTERM. Exit code 2 if the settings or files cannot be used."""
    logs.set_up("quorate-webhook")
    try:
        uvloop.run(_serve(parse_arguments(sys.argv[1:])))
    except QuorateError as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
