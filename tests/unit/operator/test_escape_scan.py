"""The escape scan without a cluster: what it finds, in which order it acts, and what it spares."""

import copy
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.admission import released
from quorate.admission.escape import MIRROR_ANNOTATION
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.cordon import NODES_MAX, Cordons
from quorate_operator.effects.events import Events
from quorate_operator.effects.removal import BURST, RATE, Removals
from quorate_operator.escape_response import EscapeResponse
from quorate_operator.escape_scan import EscapeScan
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import (
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    NODE,
    POD,
    SAFETY_EXCEPTION,
)
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.escape import GRACE_SECONDS
from tests.fakes import exceptions, vouching
from tests.unit.admission.pod_builder import PodBuilder, exempt_pod
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Marking, Monotonic
from tests.unit.operator.scene import FLOOR_SPEC, TEAM, Scene, verified_scene

Document = dict[str, Any]
SYSTEM = "quorate-system"
KEY = b"k" * 32


class Stand:
    """An operator's scan over an API server in memory."""

    def __init__(self, *, cordon: bool = False) -> None:
        self.cluster: Scene = verified_scene()
        self.api, self.ticks = FakeApi(), Monotonic()
        # What is put there is newer than what the scene made.
        self.api._version = 1000
        self.registry = CollectorRegistry()
        metrics, holding = Metrics(self.registry), Holding()
        clock = FixedClock(self.cluster.now)
        events = Events(self.api, holding, "op-0", clock, self.ticks, metrics)
        self.events = events
        alerts = Alerts(self.api, holding, events, clock, self.ticks, metrics)
        removals = Removals(self.api, holding, alerts, events, self.ticks, metrics)
        cordons = Cordons(self.api, holding, alerts, self.ticks, enabled=cordon)
        world = self.cluster.world
        self.intake = Intake(world, Queues(), clock)
        response = EscapeResponse(world, alerts, events, removals, cordons, SYSTEM, self.ticks)
        self.scan = EscapeScan(
            self.api, world, self.intake, Marking(), response, clock, self.ticks, metrics
        )
        self.namespace(TEAM)
        exempt = [{"digest": vouching.EXEMPT_DIGEST, "reason": "a batch job"}]
        self.policy(FLOOR_SPEC | {"exemptImages": exempt})

    def namespace(self, name: str, mode: str = "enforce") -> None:
        """A namespace that carries a mode, there and heard of."""
        metadata = {"name": name, "labels": {names.MODE_LABEL: mode}}
        self.intake.arrived(
            NAMESPACE, self.api.put(NAMESPACE.path(name=name), {"metadata": metadata})
        )

    def policy(self, spec: Document, name: str = "floor") -> None:
        """A platform policy, there and heard of."""
        document = vouching.policy(spec, name=name)
        path = CLUSTER_SAFETY_POLICY.path(name=name)
        self.intake.arrived(CLUSTER_SAFETY_POLICY, self.api.put(path, document))

    def pod(self, pod: Document, name: str = "chat", namespace: str = TEAM) -> str:
        """A running pod at the API server that no watch told of; its UID."""
        pod = copy.deepcopy(pod)
        pod["metadata"] |= {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
        pod["status"] = {"phase": "Running"}
        self.api.put(POD.path(namespace, name), pod)
        return str(pod["metadata"]["uid"])

    def bare(self, name: str = "chat", namespace: str = TEAM, **spec: Any) -> str:
        """A pod that nobody injected."""
        pod = PodBuilder(self.cluster.world.store.snapshot()).bare()
        pod["spec"] |= spec
        return self.pod(pod, name, namespace)

    def there(self) -> set[str]:
        """Names of all pods that are there."""
        return {p.rpartition("/")[2] for p in self.api.objects if "/pods/" in p}

    @property
    def incidents(self) -> dict[tuple[str, str], Document]:
        """Incidents by rule and subject."""
        found = [d for p, d in self.api.objects.items() if "/safetyincidents/" in p]
        return {(d["spec"]["rule"], d["spec"]["subject"]["name"]): d for d in found}

    async def look(self) -> None:
        """Look once."""
        await self.scan.look()

    def gauge(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.registry.get_sample_value(f"quorate_operator_{name}", labels)


async def looked(*, cordon: bool = False) -> Stand:
    """One that has looked once already."""
    stand = Stand(cordon=cordon)
    await stand.look()
    return stand


@pytest.mark.requirement("escape scan: SafetyIncident, Event, deletion with UID precondition")
async def test_a_pod_without_sidecar_is_found_and_deleted() -> None:
    """Incident with pod, owners and what was done; an Event each; the UID as precondition."""
    stand = await looked()
    seen: list[Document] = []
    deleted = stand.api._deleted

    def watched(path: str, options: Document) -> Document:
        seen.append(options)
        return deleted(path, options)

    stand.api._deleted = watched  # type: ignore[method-assign]
    uid = stand.bare()
    await stand.look()
    assert stand.there() == set()
    assert seen[0]["preconditions"] == {"uid": uid}
    assert seen[0]["gracePeriodSeconds"] == GRACE_SECONDS
    incident = stand.incidents["PodEscaped", "chat"]
    assert incident["spec"]["severity"] == "Critical"
    assert incident["spec"]["subject"]["uid"] == uid
    assert incident["spec"]["owners"]["safety"]["contact"]
    assert "before the namespace enforced" in incident["spec"]["summary"]
    assert [a["name"] for a in incident["status"]["actions"]] == ["PodDeleted"]
    events = [d for p, d in stand.api.objects.items() if "/events/" in p]
    assert {(e["reason"], e["regarding"]["kind"]) for e in events} == {
        ("PodEscaped", "SafetyIncident"),
        ("PodDeleted", "Pod"),
    }
    assert stand.gauge("escaped_pods", rule="PodEscaped") == 1
    await stand.look()
    assert stand.gauge("escaped_pods", rule="PodEscaped") == 0


async def test_what_is_right_stays() -> None:
    """A released pod, an exempt one, pods where nothing is enforced or that are not ours."""
    stand = await looked()
    pod = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    pod["metadata"] |= {"name": "good", "uid": f"uid-{TEAM}-good"}
    shown = released.mark(KEY, pod["metadata"]["uid"], released.changeable(pod))
    pod["metadata"]["annotations"] = {names.RELEASED_ANNOTATION: shown}
    stand.pod(pod, "good")
    stand.pod(exempt_pod(), "batch")
    for number, namespace in enumerate(("warned", "quorate-system", "kube-system")):
        stand.namespace(namespace, "enforce" if number else "warn")
        stand.bare(f"other-{number}", namespace)
    await stand.look()
    assert stand.there() == {"good", "batch", "other-0", "other-1", "other-2"}
    assert stand.incidents == {}


@pytest.mark.requirement("escape scan: gate-less → found")
async def test_ungated_by_somebody_else() -> None:
    """Right in every part, but for who removed the gate."""
    stand = await looked()
    pod = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    stand.pod(pod)
    await stand.look()
    assert stand.there() == set()
    assert "SchedulingGateMissing" in stand.incidents["PodEscaped", "chat"]["spec"]["summary"]


async def test_pods_of_the_release_before_marks_are_tolerated() -> None:
    """If they ran at the first look and are right; the same pod made later is not."""
    stand = Stand()
    pod = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    stand.pod(pod, "old")
    stand.bare("never-right")
    await stand.look()
    stand.pod(pod, "new")
    await stand.look()
    assert stand.there() == {"old"}


async def test_a_first_look_that_was_not_whole_is_no_first_look() -> None:
    """A namespace that could not be listed keeps its pods' excuse until it can."""
    stand = Stand()
    pod = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    stand.pod(pod, "old")

    def fault(method: str, path: str) -> None:
        if path == POD.path(TEAM):
            raise ApiUnavailable("no answer")

    stand.api.fault = fault
    stand.ticks.time += 100
    await stand.look()
    assert stand.scan.age == 100
    stand.api.fault = lambda method, path: None
    await stand.look()
    assert stand.scan.age == 0
    assert stand.there() == {"old"}


@pytest.mark.requirement("escape scan: deletions are paced, and many at once are one page")
async def test_many_are_deleted_slowly() -> None:
    """A burst, then RATE a second; one alert for all; each namespace has its turn."""
    stand = await looked()
    for number in range(60):
        stand.bare(f"many-{number:02}")
    stand.namespace("small")
    stand.bare("alone", "small")
    await stand.look()
    left = stand.there()
    assert len(left) == 61 - BURST
    assert "alone" not in left
    assert ("ManyPodsEscaped", "quorate-operator") in stand.incidents
    assert "small" in stand.incidents["ManyPodsEscaped", "quorate-operator"]["spec"]["summary"]
    await stand.look()
    assert stand.there() == left
    stand.ticks.time += 10
    await stand.look()
    assert len(stand.there()) == 61 - BURST - 10 * RATE


async def test_a_controller_that_starts_others_fills_no_store() -> None:
    """Admission is off: each deleted pod is followed by another. Incidents are bounded."""
    stand = await looked()
    for number in range(90):
        stand.bare(f"again-{number}")
        stand.ticks.time += 2
        await stand.look()
    assert stand.there() == set()
    own = [rule for rule, _ in stand.incidents if rule == "PodEscaped"]
    assert len(own) < 70
    assert ("ManyPodsEscaped", "quorate-operator") in stand.incidents


async def test_what_was_not_heard_of_yet_deletes_nothing() -> None:
    """A label that went, an exemption that came: read again before anything is done."""
    stand = await looked()
    stand.bare()
    metadata = {"name": TEAM, "labels": {names.MODE_LABEL: "warn"}}
    stand.api.put(NAMESPACE.path(name=TEAM), {"metadata": metadata})
    await stand.look()
    assert stand.there() == {"chat"}
    stand = await looked()
    digest = f"sha256:{'7' * 64}"
    containers = [{"name": "x", "image": f"registry.example.test/x@{digest}"}]
    stand.bare("x", containers=containers, volumes=[])
    spec = FLOOR_SPEC | {"exemptImages": [{"digest": digest, "reason": "new"}]}
    document = vouching.policy(spec, name="floor")
    document["metadata"]["generation"] = 2
    stand.api.put(CLUSTER_SAFETY_POLICY.path(name="floor"), document)
    await stand.look()
    assert stand.there() == {"x"}
    assert stand.incidents == {}


@pytest.mark.requirement("a debugged pod ends with its exception")
async def test_a_debugged_pod_ends_with_its_exception() -> None:
    """An exception that the watch did not bring is read before anything is done; the pod is left
    while it lifts, and found when it is gone."""
    chief, stand = vouching.signer(), await looked()
    stand.policy(FLOOR_SPEC | {"exceptions": exceptions.approvers(chief)})
    document = exceptions.exception("EphemeralContainers", chief)
    path = SAFETY_EXCEPTION.path(SYSTEM, document["metadata"]["name"])
    stand.api.put(path, document)
    pod = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    pod["metadata"]["uid"] = f"uid-{TEAM}-chat"
    shown = released.mark(KEY, pod["metadata"]["uid"], released.changeable(pod))
    pod["metadata"]["annotations"] = {names.RELEASED_ANNOTATION: shown}
    pod["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "shell"}]
    stand.pod(pod)
    await stand.look()
    assert (stand.there(), stand.incidents) == ({"chat"}, {})
    del stand.api.objects[path]
    await stand.intake.sweep(stand.api, SAFETY_EXCEPTION)
    await stand.look()
    assert stand.there() == set()
    assert "EphemeralContainer" in stand.incidents["PodEscaped", "chat"]["spec"]["summary"]


@pytest.mark.requirement("escape scan: without the platform's policies nothing is deleted")
async def test_without_policies_it_tells_and_deletes_nothing() -> None:
    """An incident and an Event about the pod."""
    stand = await looked()
    path = CLUSTER_SAFETY_POLICY.path(name="floor")
    del stand.api.objects[path]
    stand.bare()
    await stand.look()
    assert stand.there() == {"chat"}
    incident = stand.incidents["PodEscaped", "chat"]
    assert "ClusterSafetyPolicy" in incident["spec"]["summary"]
    assert not incident["status"].get("actions")


async def test_a_pod_that_cannot_be_judged_is_an_escape() -> None:
    """A failure of ours lets nothing by."""
    stand = await looked()
    stand.bare(containers=[{"image": "x"}])
    await stand.look()
    assert stand.there() == set()
    assert "cannot be judged" in stand.incidents["PodEscaped", "chat"]["spec"]["summary"]


def mirror(stand: Stand, node: str, name: str = "static") -> None:
    """The mirror of a static pod."""
    pod = PodBuilder(stand.cluster.world.store.snapshot()).bare()
    pod["metadata"]["annotations"] = {MIRROR_ANNOTATION: "0123"}
    pod["spec"]["nodeName"] = node
    stand.pod(pod, name)


@pytest.mark.requirement("static pods: incident, and cordon only if asked for")
async def test_static_pods_cordon_their_node_only_if_asked() -> None:
    """Never deleted; each node once for a pod, and few nodes in a while."""
    stand = await looked()
    stand.api.put(NODE.path(name="node-1"), {"spec": {}})
    mirror(stand, "node-1")
    await stand.look()
    assert stand.there() == {"static"}
    assert "node-1" in stand.incidents["StaticPodFound", "static"]["spec"]["summary"]
    assert stand.api.objects[NODE.path(name="node-1")]["spec"] == {}
    stand = await looked(cordon=True)
    for number in range(NODES_MAX + 1):
        stand.api.put(NODE.path(name=f"node-{number}"), {"spec": {}})
        mirror(stand, f"node-{number}", f"static-{number}")
    mirror(stand, "../../api/v1/namespaces/x", "posing")
    await stand.look()
    await stand.look()
    nodes = [d["spec"] for p, d in stand.api.objects.items() if "/nodes/" in p]
    assert nodes.count({"unschedulable": True}) == NODES_MAX
    said = [
        action["name"]
        for incident in stand.incidents.values()
        for action in incident["status"].get("actions", [])
    ]
    assert sorted(said) == ["NodeCordoned"] * NODES_MAX + ["NodeLeft"]


@pytest.mark.requirement("escape scan: a watch event begins a look at once")
async def test_a_change_wakes_the_scan() -> None:
    """A pod that shows no mark, a namespace; not one that shows a mark, nor the same pod twice."""
    stand = await looked()
    stand.intake.on_seen = stand.scan.noticed
    wake = stand.scan._wake
    wake.clear()
    snapshot = stand.cluster.world.store.snapshot()
    running = PodBuilder(snapshot).released().build() | {"status": {"phase": "Running"}}
    stand.intake.arrived(POD, running)
    assert wake.is_set()
    wake.clear()
    stand.intake.arrived(POD, running)
    gated = PodBuilder(snapshot).build()
    gated["metadata"]["uid"] = "another"
    stand.intake.arrived(POD, gated)
    marked = copy.deepcopy(running)
    marked["metadata"] |= {"uid": "third", "annotations": {names.RELEASED_ANNOTATION: "x"}}
    stand.intake.arrived(POD, marked)
    assert not wake.is_set()
    stand.namespace("another")
    assert wake.is_set()
