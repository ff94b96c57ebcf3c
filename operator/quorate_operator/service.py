"""The running operator: its parts, put together, and the order in which they begin."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import CollectorRegistry

from quorate import names
from quorate.admission.store import Store
from quorate.consensus import history as histories
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.health import HealthServer
from quorate_io.operator_client import OperatorClient
from quorate_io.registry import RegistryClient
from quorate_operator import handlers
from quorate_operator.alert_endings import AlertEndings
from quorate_operator.alerts import Alerts
from quorate_operator.break_glass import BreakGlass
from quorate_operator.chain_follower import ChainFollower
from quorate_operator.committee import Committee
from quorate_operator.committee_alarm import CommitteeAlarm
from quorate_operator.committee_keeper import CommitteeKeeper
from quorate_operator.committee_members import CommitteeMembers
from quorate_operator.config import Config
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.cordon import Cordons
from quorate_operator.effects.dispatch import Effects
from quorate_operator.effects.events import Events
from quorate_operator.effects.gate import Gates
from quorate_operator.effects.leaf import WebhookLeaf
from quorate_operator.effects.marking import AuthorityMarkingKey
from quorate_operator.effects.member import Questions
from quorate_operator.effects.removal import Removals
from quorate_operator.escape_response import EscapeResponse
from quorate_operator.escape_scan import EscapeScan
from quorate_operator.exceptions import ExceptionKeeper
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import LEASE, WATCHED, Key
from quorate_operator.lease import Lease, LeaseLost
from quorate_operator.lookout import Lookout
from quorate_operator.member_rollout import MemberRollout
from quorate_operator.metrics import Metrics
from quorate_operator.reconciler import Reconciler
from quorate_operator.report_response import ReportResponse
from quorate_operator.sources.gatherer import Gatherer
from quorate_operator.sources.reading import SourceReader
from quorate_operator.spares import Spares, asks_keys
from quorate_operator.supervision import Supervision, Watched, watch_files
from quorate_operator.sweeper import Sweeper
from quorate_operator.watch_age import WatchAges
from quorate_operator.watch_session import WatchSession
from quorate_operator.workers import Workers
from quorate_operator.world import World

EXIT_LEASE_LOST = 4
CONFIG_SECONDS = 10.0
RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


class Operator:
    """One operator process."""

    def __init__(
        self,
        config: Config,
        watched: Sequence[tuple[Watched, tuple[bytes, ...]]],
        api: ApiServer,
        members: OperatorClient,
        registries: RegistryClient,
        refresh: float,
        clock: Clock,
    ) -> None:
        self._config = config
        self._watched = watched
        self._api = api
        self.metrics = metrics = Metrics(CollectorRegistry())
        lease_key = Key(LEASE.name, config.namespace, names.OPERATOR_ACCOUNT)
        self._lease = lease = Lease(api, lease_key, config.identity, clock, time.monotonic)
        history = histories.begin(config.genesis)
        store = Store(config.injection, history, config.previous)
        self._world = world = World(store, history)
        self._queues = queues = Queues()
        self._committee = committee = Committee(members, world, clock, metrics, time.monotonic)
        self._intake = intake = Intake(world, queues, clock)
        reader = SourceReader(api, registries, time.monotonic)
        self._gatherer = Gatherer(world, reader, intake.follow, clock, metrics, refresh)
        intake.on_sourced = self._gatherer.noticed
        self._sweeper = Sweeper(api, intake)
        self._ages = ages = WatchAges(WATCHED, time.monotonic)
        questions = Questions(members, world, clock, metrics)
        self._follower = follower = ChainFollower(members, world, questions, queues)
        questions.followed = follower.take
        self._events = events = Events(api, lease, config.identity, clock, time.monotonic, metrics)
        alerts = Alerts(api, lease, events, clock, time.monotonic, metrics)
        marking = AuthorityMarkingKey(api, config.namespace)
        gates = Gates(api, lease, marking, clock, metrics)
        effects = Effects(api, lease, questions, events, alerts, gates, intake.arrived)
        self._workers = Workers(
            world, queues, Reconciler(world, effects, clock, metrics), clock, metrics
        )
        self._leaf = WebhookLeaf(api, config.namespace, lease, clock, metrics, config.leaf_life)
        removals = Removals(api, lease, alerts, events, time.monotonic, metrics)
        self._reports = reports = ReportResponse(
            committee.words, world, alerts, removals, clock, time.monotonic
        )
        place, url = config.namespace, config.member_url
        endings = AlertEndings(alerts, time.monotonic)
        self._lookout = Lookout(api, place, url, committee, alerts, clock, time.monotonic, endings)
        self._rollout = MemberRollout(api, lease, committee, world, events, place, time.monotonic)
        asked, alarm = CommitteeMembers(members), CommitteeAlarm(alerts, time.monotonic)
        asks = asks_keys(url, config.genesis.digest_text, clock)
        spares = Spares(config.spares, asks, time.monotonic)
        about = (asked, committee, world, follower.take, events, alarm, spares)
        self._keeper = CommitteeKeeper(api, lease, *about, clock, time.monotonic)
        self._exceptions = ExceptionKeeper(world, api, lease, alerts, events, clock, intake.arrived)
        self._break_glass = BreakGlass(world, api, lease, alerts, clock)
        cordons = Cordons(api, lease, alerts, time.monotonic, enabled=config.cordon)
        response = EscapeResponse(world, alerts, events, removals, cordons, place, time.monotonic)
        self._scan = scan = EscapeScan(
            api, world, intake, marking, response, clock, time.monotonic, metrics
        )
        intake.on_seen = scan.noticed
        self._supervision = Supervision(
            place, committee, alerts, ages, queues, lease, scan, metrics, endings
        )
        questions.hopeless = committee.hopeless
        committee.on_heard = lambda: queues.add(questions.retry())
        committee.on_news = reports.noticed
        committee.blind = lambda: bool(ages.silent())
        self._synced = False

    async def run(self) -> None:
        """Work until SIGTERM. Raises if it cannot go on; ends the process if the Lease is lost."""
        health = HealthServer(
            ready=self.not_ready, alive=self._ages.silent, registry=self.metrics.registry
        )
        await health.listen([""], self._config.health_port)
        try:
            await self._lease.acquire()
            await self._work()
        finally:
            await self._lease.release()
            await health.close()

    def not_ready(self) -> Sequence[str]:
        """Why this process does not do its work yet."""
        if not self._lease.held:
            return ["waiting for the Lease"]
        if not self._synced:
            return ["the first list of all objects is not complete"]
        if not self._ages.opened():
            return ["not every watch is open yet"]
        return ()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self._keep_lease())]
            await self._patiently(self._served, "the kinds are not served")
            # Once: certificates in statuses may be of epochs that came after the genesis.
            await self._follower.look()
            await self._patiently(self._sweeper.first, "objects cannot be listed")
            self._synced = True
            self._queues.add(self._world.resync())
            forever = (
                self._workers.run(),
                self._events.run(),
                self._committee.run(),
                self._follower.run(),
                self._reports.run(),
                self._rollout.run(),
                self._keeper.run(),
                self._sweeper.run(),
                self._leaf.run(),
                self._supervision.run(),
                self._lookout.run(),
                self._exceptions.run(),
                self._break_glass.run(),
                self._scan.run(),
                self._gatherer.run(),
                *(watch_files(*files, CONFIG_SECONDS) for files in self._watched),
            )
            background += [group.create_task(task) for task in forever]
            # They begin before kopf does: it waits, at its end, for tasks that began after it.
            await asyncio.sleep(0)
            await self._watch()
            for task in background:
                task.cancel()

    async def _watch(self) -> None:
        session = WatchSession(
            self._api.configuration,
            heard=lambda kind: self._ages.heard(kind.name),
            listed=self._sweeper.listed,
        )
        self._ages.begin()
        await handlers.watch(session, self._intake.arrived, self._intake.gone)

    async def _keep_lease(self) -> None:
        try:
            await self._lease.keep()
        except LeaseLost as error:
            # Another operator may work from now on. Nothing here may outlive this line: a graceful
            # end would take seconds in which calls that are under way still write.
            log.critical("%s; ending at once", error)
            logging.shutdown()
            os._exit(EXIT_LEASE_LOST)

    async def _served(self) -> None:
        """Raises QuorateError unless the API server serves every kind of ours."""
        for kind in WATCHED:
            if kind.group:
                await self._api.get(kind.path(), {"limit": "1"})

    async def _patiently(self, step: Callable[[], Awaitable[None]], trouble: str) -> None:
        while True:
            try:
                await step()
                return
            except QuorateError as error:
                log.warning("%s: %s", trouble, error)
            await asyncio.sleep(RETRY_SECONDS)
