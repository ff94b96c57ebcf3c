"""A service's own small HTTP server: is it alive, is it ready and if not why, what does it measure.

``/healthz`` and ``/readyz`` answer 200 ``ok``, or 503 with one reason a line; ``/metrics`` is for
Prometheus; further probes may be added. It has a port (or a Unix socket) of its own, so that a busy
service still answers for itself and nobody reaches metrics through the service's port.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

log = logging.getLogger(__name__)

Probe = Callable[[], Sequence[str]]
"""Reasons why not; empty if all is well. Called on the event loop: it must not block."""

REASONS_MAX = 20
"""Reasons in one answer."""
KEEPALIVE_SECONDS = 75.0


def always() -> Sequence[str]:
    """The probe of a service that is well as long as it answers at all."""
    return ()


class HealthServer:
    """Serves probes and metrics on any number of addresses and sockets.

    ``ready`` and ``alive`` give the reasons for not being so; ``probes`` adds paths.
    """

    def __init__(
        self,
        *,
        ready: Probe,
        alive: Probe = always,
        probes: Mapping[str, Probe] | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._probes = {"/healthz": alive, "/readyz": ready, **(probes or {})}
        self._registry = registry
        self._runner: web.ServerRunner | None = None

    async def listen(self, hosts: Sequence[str], port: int) -> list[int]:
        """Serve on ``port`` of every host; 0 takes a free one. Returns the ports.

        Raises OSError if an address cannot be bound.
        """
        runner = await self._started()
        ports = []
        for host in hosts:
            site = web.TCPSite(runner, host, port)
            await site.start()
            ports.append(runner.addresses[-1][1])
        return ports

    async def listen_unix(self, path: Path) -> None:
        """Serve on a Unix socket, which replaces one that a dead process left there."""
        runner = await self._started()
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at start
        await web.UnixSite(runner, str(path)).start()

    async def close(self) -> None:
        """Stop serving. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _started(self) -> web.ServerRunner:
        if self._runner is None:
            server = web.Server(self._handle, access_log=None, keepalive_timeout=KEEPALIVE_SECONDS)
            self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
            await self._runner.setup()
        return self._runner

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(
                status=405, text="GET or HEAD only\n", headers={"Allow": "GET, HEAD"}
            )
        if request.path == "/metrics":
            body = generate_latest(self._registry)
            return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
        probe = self._probes.get(request.path)
        if probe is None:
            known = ", ".join([*self._probes, "/metrics"])
            return web.Response(status=404, text=f"unknown path; known: {known}\n")
        return _answer(request.path, probe)


def _answer(path: str, probe: Probe) -> web.Response:
    """Ask one probe. One that fails is a reason, not a crash."""
    try:
        reasons = list(probe())
    except Exception:
        log.exception("probe %s failed", path)
        reasons = ["the probe itself failed; see the log"]
    if not reasons:
        return web.Response(text="ok\n")
    return web.Response(status=503, text="\n".join(reasons[:REASONS_MAX]) + "\n")
