"""``quorate-sidecar``: from the first signed state to the last drained stream."""

import asyncio
import contextlib
import errno
import logging
import signal
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol

from quorate.alerts import Rule
from quorate.errors import QuorateError, Unavailable
from quorate.telemetry import names
from quorate_io import resident
from quorate_io.clock import SystemClock
from quorate_io.committee_client import CommitteeClient
from quorate_io.health import HealthServer
from quorate_sidecar import termination
from quorate_sidecar.actions.committee import Committee, Members
from quorate_sidecar.actions.freezes import FreezeKeeper, FreezeSource
from quorate_sidecar.actions.gate import ActionGate
from quorate_sidecar.actions.held import HoldTable
from quorate_sidecar.audit_log import AuditLog
from quorate_sidecar.audit_writer import AuditWriter, Owner
from quorate_sidecar.canaries.accuser import Accuser, EvidenceSink
from quorate_sidecar.canaries.asker import CanaryAsker
from quorate_sidecar.canaries.deck import DeckReader
from quorate_sidecar.canaries.progress import ProgressFile
from quorate_sidecar.canaries.shadow import Reaching, ShadowAsker
from quorate_sidecar.canaries.witness import Witness
from quorate_sidecar.capacity import Capacity
from quorate_sidecar.checks.scanner import scanner_for
from quorate_sidecar.forwarder import Forwarder
from quorate_sidecar.listener_watch import ListenerWatch
from quorate_sidecar.measure.keeper import ModelKeeper
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.proxy import Proxy
from quorate_sidecar.receipt_keeper import ReceiptKeeper, ReceiptSource
from quorate_sidecar.recorder import Recorder
from quorate_sidecar.reporter import Reporter, ReportSink
from quorate_sidecar.server import BoundedServer
from quorate_sidecar.settings import ADMIN_SOCKET, Settings
from quorate_sidecar.standing import Standing
from quorate_sidecar.state_age import overdue
from quorate_sidecar.state_keeper import StateKeeper, StateSource
from quorate_sidecar.upstream import Upstream

WILDCARD = (
    "port {port} of {hosts} is taken: the model listens on all addresses. "
    "Start it with --host 127.0.0.1 (or OLLAMA_HOST=127.0.0.1)"
)

AGE_SECONDS = 1.0
"""Between two looks at the state's age."""

log = logging.getLogger(__name__)


class Source(
    StateSource, ReceiptSource, ReportSink, Members, FreezeSource, EvidenceSink, Reaching, Protocol
):
    """Who is asked and told: :class:`quorate_io.committee_client.CommitteeClient`."""


class Service:
    """One sidecar. :meth:`run` returns when it was told to stop, or raises QuorateError."""

    def __init__(self, settings: Settings, source: Source, metrics: Metrics) -> None:
        self._settings = settings
        self._source = source
        self._metrics = metrics
        self._standing = Standing(SystemClock())
        self._keeper = StateKeeper(source, self._standing, settings.pod.uid)
        self._reporter = Reporter(source, self._standing.clock)
        self._capacity = Capacity()
        self._model = ModelKeeper(settings, source, self._standing, self._reporter)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        pod = settings.pod
        owner = Owner(pod.namespace, pod.name, pod.uid, settings.genesis_digest)
        writer = AuditWriter(
            settings.audit_path, owner, SystemClock(), log_bytes=settings.audit_bytes
        )
        report = partial(self._reporter.note, Rule.AUDIT_LOG_NOT_WRITTEN)
        self._audit = AuditLog(writer, self._standing, metrics, report, claim=settings.audit_claim)
        self._receipts = ReceiptKeeper(
            source,
            self._standing,
            pod.uid,
            metrics,
            self._audit.take_receipt,
            partial(self._reporter.note, Rule.RECEIPT_RENEWAL_LATE),
        )
        self._accuser = Accuser(source, lambda: self._committee.epoch, metrics, time.monotonic)
        witness = Witness(self._accuser.accuse)
        self._committee = Committee(source, self._receipts.audience, metrics, witness=witness)
        self._canaries = CanaryAsker(
            pod,
            self._standing,
            self._committee,
            witness,
            self._accuser.accuse,
            DeckReader(settings.deck_path),
            ProgressFile(settings.work_path),
            metrics,
            ShadowAsker(source, self._receipts.prove, metrics, time.monotonic),
        )
        self._holds = HoldTable(self._standing.clock)
        self._freezes = FreezeKeeper(
            source, lambda: self._committee.epoch, self._standing.clock, self._frozen
        )
        self._health = HealthServer(
            ready=self._standing.unready, probes={"/startupz": self._standing.unstarted}
        )

    def stop(self) -> None:
        """Begin to drain."""
        self._stop.set()

    async def run(self) -> None:
        """Start, serve until told to stop, drain."""
        settings = self._settings
        self._audit.open()
        await self._health.listen_unix(settings.work_path / ADMIN_SOCKET)
        await self._keeper.first(settings.wait_seconds)
        port = self._port()
        upstream = Upstream(port)
        server = self._server(upstream)
        try:
            # First the port, so that the model cannot take it; then what may take long.
            await self._listen(server, port)
            await self._listen_health()
            self._spawn(self._keeper.run())
            self._spawn(self._receipts.run())
            self._spawn(self._audit.run())
            self._spawn(self._committee.run())
            self._spawn(self._freezes.run())
            self._spawn(self._accuser.run())
            self._spawn(self._canaries.run())
            self._spawn(ListenerWatch(self._foreign, settings.proc_net).run())
            self._spawn(self._watch_age())
            self._spawn(self._reporter.run())
            self._show(server)
            await self._until_stopped(self._model.run())
            await self._drain(server)
        finally:
            for task in self._tasks:
                task.cancel()
            server.stop_listening()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._committee.close()
            await upstream.close()
            await self._health.close()
            self._audit.close()

    def _port(self) -> int:
        """The port of the first state. Raises Unavailable if there is none to serve."""
        standing = self._standing
        if standing.denial is not None:
            raise Unavailable(f"{standing.denial.reason}: {standing.denial.message}")
        if standing.state is None:
            raise Unavailable(f"no signed state: {self._keeper.last_error}")
        # Compiling the patterns takes milliseconds that no request should wait for.
        scanner_for(standing.state.rules.checks)
        return standing.state.rules.port

    def _server(self, upstream: Upstream) -> BoundedServer:
        loop = asyncio.get_running_loop()
        recorder = Recorder(self._audit, self._metrics, loop.time)
        gate = ActionGate(
            self._settings.pod,
            self._standing,
            self._committee,
            self._freezes,
            self._holds,
            self._audit.write,
            self._metrics,
        )
        forwarder = Forwarder(upstream, recorder, self._metrics, gate)
        proxy = Proxy(self._standing, upstream, forwarder, recorder, self._capacity, gate)
        return BoundedServer(proxy.handle)

    async def _listen(self, server: BoundedServer, port: int) -> None:
        hosts = self._settings.pod.ips
        try:
            await server.listen(hosts, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Unavailable(WILDCARD.format(port=port, hosts=", ".join(hosts))) from None
            raise Unavailable(f"port {port} cannot be bound: {error}") from None
        self._standing.port = port
        resident.settle()
        log.info("listening on port %d of %s", port, ", ".join(hosts))

    async def _listen_health(self) -> None:
        hosts, port = self._settings.pod.ips, self._settings.health_port
        try:
            await self._health.listen(hosts, port)
        except OSError as error:
            raise Unavailable(
                f"port {port} for health and metrics cannot be bound: {error.strerror}",
                fix="no container of the pod may listen on it",
            ) from None

    async def _until_stopped(self, measuring: Coroutine[Any, Any, None]) -> None:
        """Measure, then wait. A failure to measure, or of a background task, ends the service."""
        task = asyncio.ensure_future(measuring)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            pending: set[asyncio.Future[Any]] = {task, stopped, *self._tasks}
            while not stopped.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for finished in done:
                    finished.result()
        finally:
            task.cancel()
            stopped.cancel()

    async def _drain(self, server: BoundedServer) -> None:
        """Refuse what is new, finish what is under way, within the bound."""
        self._standing.draining = True
        server.stop_listening()
        log.info("draining %d requests", self._capacity.requests)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._capacity.idle()
        if self._capacity.requests:
            log.warning("%d requests are cut off", self._capacity.requests)
        await server.shutdown(timeout=1.0)

    def _foreign(self, found: list[str]) -> None:
        if found and not self._standing.foreign:
            log.error("denying all requests: %s", "; ".join(found[:5]))
        self._standing.foreign = found
        self._reporter.note(Rule.FOREIGN_LISTENER, "; ".join(found[:5]))

    def _frozen(self) -> None:
        self._committee.freeze(lambda target: self._freezes.covering(target) is not None)

    async def _watch_age(self) -> None:
        standing = self._standing
        while True:
            state = standing.state if standing.denial is None else None
            late = overdue(state, standing.clock.now())
            self._reporter.note(Rule.STATE_AGE_HIGH, late)
            self._reporter.note(Rule.ACTION_HELD, self._holds.waiting())
            self._reporter.note(Rule.DECISIONS_SPLIT, self._committee.discord.told())
            self._reporter.note(Rule.MEMBERS_ERR_TOGETHER, self._canaries.together)
            self._reporter.note(Rule.CANARIES_USED_UP, self._canaries.used_up)
            await asyncio.sleep(AGE_SECONDS)

    def _show(self, server: BoundedServer) -> None:
        """Let the metrics read what there is to read."""
        standing, metrics = self._standing, self._metrics
        metrics.gauge(names.SIDECAR_STATE_EXPIRY, standing.expiry)
        metrics.gauge(names.SIDECAR_RECEIPT_EXPIRY, standing.receipt_expiry)
        metrics.gauge(names.SIDECAR_READY, lambda: 0 if standing.unready() else 1)
        metrics.gauge(names.SIDECAR_FOREIGN_LISTENERS, lambda: len(standing.foreign))
        metrics.gauge(names.SIDECAR_IN_FLIGHT, lambda: self._capacity.requests)
        metrics.gauge(names.SIDECAR_CONNECTIONS, lambda: server.connection_count)
        metrics.gauge(names.SIDECAR_MEASURE_SECONDS, lambda: self._model.measure_seconds)
        metrics.gauge(names.SIDECAR_MODEL_HASHED, lambda: self._model.hashed_at)
        metrics.gauge(names.SIDECAR_HOLDS, lambda: len(self._holds))
        metrics.gauge(names.SIDECAR_CANARIES_LEFT, lambda: self._canaries.left)
        metrics.gauge(names.SIDECAR_FREEZES, lambda: len(self._freezes))
        metrics.gauge(names.SIDECAR_MODEL_CHANGED, lambda: 1 if standing.changed else 0)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.ensure_future(work))


async def serve(settings: Settings) -> int:
    """Run the sidecar until SIGTERM. Returns the exit code."""
    try:
        client = CommitteeClient(
            settings.member_url, settings.members, settings.genesis_digest, settings.token_file
        )
        async with client:
            service = Service(settings, client, Metrics())
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, service.stop)
            await service.run()
    except QuorateError as error:
        log.error("stopped: %s", error)
        termination.say(settings.termination_log, str(error))
        return 1
    return 0
