"""The operator's parts with five members that are processes; only the API server is in memory."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import certificate, names
from quorate.admission.injection import parse_config
from quorate.admission.store import Store
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate_io.clock import SystemClock
from quorate_io.committee_client import CommitteeClient
from quorate_io.member_api import Report
from quorate_io.operator_client import OperatorClient
from quorate_operator.alerts import Alerts
from quorate_operator.committee import Committee
from quorate_operator.effects import relay
from quorate_operator.effects.dispatch import Effects
from quorate_operator.effects.events import Events
from quorate_operator.effects.gate import Gates
from quorate_operator.effects.member import Questions
from quorate_operator.effects.removal import Removals
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    SAFETY_INCIDENT,
    Kind,
)
from quorate_operator.metrics import Metrics
from quorate_operator.reconciler import Reconciler
from quorate_operator.report_response import ReportResponse
from quorate_operator.workers import Workers
from quorate_operator.world import World
from tests.fakes import vouching
from tests.integration.consensus import member_process
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import pod_client
from tests.unit.operator.fake_api import FakeApi, Holding, Marking
from tests.unit.operator.scene import TEAM, injection_document

SECONDS = 60.0
CLOSING_SECONDS = 1.0
Document = dict[str, Any]


class Five:
    """A committee of five, as many as run of it, and the operator's parts."""

    def __init__(self, folder: Path) -> None:
        self.members = Cluster(folder, n=5)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._build()

    def _build(self) -> None:
        self.api, holding = FakeApi(), Holding()
        clock, metrics, ticks = SystemClock(), Metrics(CollectorRegistry()), time.monotonic
        members, history = self.members, self.members.history
        digest, token = members.genesis.digest_text, members.folder / "operator.token"
        self.client = OperatorClient(members.template, members.names, digest, token)
        store = Store(parse_config(injection_document(digest)), history)
        self.world = world = World(store, history)
        self.queues = queues = Queues()
        self.intake = Intake(world, queues, clock)
        self.committee = committee = Committee(self.client, world, clock, metrics, ticks)
        questions = Questions(self.client, world, clock, metrics)
        questions.hopeless = committee.hopeless
        committee.on_heard = lambda: queues.add(questions.retry())
        self.events = events = Events(self.api, holding, "op-0", clock, ticks, metrics)
        alerts = Alerts(self.api, holding, events, clock, ticks, metrics)
        gates = Gates(self.api, holding, Marking(), clock, metrics)
        effects = Effects(self.api, holding, questions, events, alerts, gates, self.intake.arrived)
        reconciler = Reconciler(world, effects, clock, metrics)
        self.workers = Workers(world, queues, reconciler, clock, metrics)
        removals = Removals(self.api, holding, alerts, events, ticks, metrics)
        self.reports = ReportResponse(committee.words, world, alerts, removals, clock, ticks)
        committee.on_news = self.reports.noticed

    def stop(self, name: str) -> None:
        """End this member."""
        self.running[name].terminate()
        self.running[name].wait(15)

    # The operator ----------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def operating(self) -> AsyncIterator[None]:
        """Run the operator's parts."""
        parts = (self.committee, self.workers, self.events, self.reports)
        running = [asyncio.create_task(part.run()) for part in parts]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await self.client.close()
            # A request that was given up leaves a TLS connection that ends when the member says so.
            await asyncio.sleep(CLOSING_SECONDS)

    def put(self, kind: Kind, document: Document) -> None:
        """Have an object at the API server, and the watch bring it."""
        metadata = document["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        self.intake.arrived(kind, self.api.put(path, document))

    def model(self, version: int) -> None:
        """Put the model, changed."""
        path = ATTESTED_MODEL.path(TEAM, "demo")
        document = self.members.model()
        document["metadata"]["generation"] = version
        document["spec"]["version"] = str(version)
        document["status"] = self.api.objects.get(path, {}).get("status")
        self.put(ATTESTED_MODEL, document)

    def condition(self, version: int) -> tuple[str, str]:
        """How the evidence of this version of the model stands."""
        status = self.api.objects[ATTESTED_MODEL.path(TEAM, "demo")].get("status") or {}
        for condition in status.get("conditions") or ():
            if condition["type"] == "GatesPassed" and condition["observedGeneration"] == version:
                return condition["status"], condition["reason"]
        return "", ""

    @property
    def voters(self) -> int:
        """How many signed the model's certificate."""
        status = self.api.objects[ATTESTED_MODEL.path(TEAM, "demo")]["status"]
        (entry,) = status["certificates"]
        now = SystemClock().now()
        return len(certificate.verify(entry["envelope"].encode(), self.world.history, now).voters)


@pytest.fixture
def five(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Five]:
    """Five members that run, and an operator that does not yet."""
    # They begin at once, on as many processors as there are.
    monkeypatch.setattr(member_process, "START_SECONDS", SECONDS)
    made = Five(tmp_path)
    with made.members.members() as running:
        made.running = running
        yield made


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110 - processes outside say nothing
            await asyncio.sleep(0.05)


async def stated(pod: CommitteeClient, uid: str) -> str:
    """The manifest in the pod's state, as soon as there is one."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return (await pod.state(uid)).manifest_digest
            except QuorateError:
                await asyncio.sleep(0.2)


@pytest.mark.requirement(
    "admission by quorum: one of five down changes nothing, two decide nothing"
)
async def test_members_come_and_go_while_a_model_is_certified(
    five: Five, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the way: five judge, four sign, the pod hears; with one down it goes on, with two it is
    unknown, and is made up for when one is back. What the pod reports is acted on."""
    monkeypatch.setattr(relay, "HEARTBEAT", 0.5)
    labels = {names.MODE_LABEL: "enforce"}
    five.put(NAMESPACE, {"metadata": {"name": TEAM, "uid": "ns", "labels": labels}})
    five.put(CLUSTER_SAFETY_POLICY, five.members.floor())
    observed = five.members.pod()
    labels = {names.MODEL_LABEL: "demo"}
    metadata = {"name": observed.name, "namespace": TEAM, "uid": observed.uid, "labels": labels}
    five.put(POD, {"kind": POD.name, "metadata": metadata, "spec": {"containers": []}})
    async with five.operating(), pod_client(five.members) as pod:
        five.model(1)
        await until(lambda: five.condition(1) == ("True", "Verified"))
        assert five.voters >= 4
        assert await stated(pod, observed.uid) == vouching.model_files().digest
        five.stop("5")
        await until(lambda: set(five.committee.silent()) == {"5"})
        five.model(2)
        await until(lambda: five.condition(2) == ("True", "Verified"))
        assert five.voters == 4
        five.stop("4")
        await until(lambda: bool(five.committee.hopeless()))
        five.model(3)
        await until(lambda: five.condition(3) == ("Unknown", "MemberUnavailable"))
        # What was certified before counts on: it is about the same files.
        assert five.voters == 4
        with five.members.member(name="4"):
            await until(lambda: five.condition(3) == ("True", "Verified"))
            report = Report(rule=Rule.FOREIGN_LISTENER, message=":9000", since=SystemClock().now())
            await stated(pod, observed.uid)
            await pod.report([report])
            await until(lambda: POD.path(TEAM, observed.name) not in five.api.objects)
            prefix = SAFETY_INCIDENT.path(TEAM)
            (incident,) = [d for p, d in five.api.objects.items() if p.startswith(prefix)]
            assert incident["spec"]["rule"] == Rule.FOREIGN_LISTENER
