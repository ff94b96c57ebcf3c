import asyncio
from typing import Any

import pytest

from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import ATTESTED_MODEL, CLUSTER_SAFETY_POLICY, POD, WATCHED, Key
from quorate_operator.sweeper import Sweeper
from tests.fakes import vouching
from tests.unit.operator.fake_api import FakeApi, FixedClock
from tests.unit.operator.scene import FLOOR_SPEC, MODEL, TEAM, Scene, verified_scene
from tests.unit.operator.test_world import pod

Document = dict[str, Any]


class Cluster:
    """A scene whose objects an API server in memory lists."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.api = FakeApi()
        self.queues = Queues()
        self.intake = Intake(scene.world, self.queues, FixedClock(vouching.NOW))

    def serve(self, document: Document) -> Document:
        """Have the API server hold an object, under the path its kind is listed at."""
        kind = {k.name: k for k in WATCHED}[document["kind"]]
        return self.api.put(f"{kind.path()}/{document['metadata']['name']}", document)


def model(name: str) -> Document:
    """A model."""
    return vouching.attested_model(vouching.model_files(), name=name)


async def test_sweep_finds_what_the_watch_missed() -> None:
    """Objects that went or came while a watch was broken."""
    cluster = Cluster(verified_scene())
    cluster.serve(model("new"))
    await cluster.intake.sweep(cluster.api, ATTESTED_MODEL)
    assert cluster.scene.world.models() == {Key(ATTESTED_MODEL.name, TEAM, "new")}
    assert len(cluster.scene.pending) > 0
    assert len(cluster.queues.models) > 0


async def test_watch_beats_a_list_that_is_older() -> None:
    """What the watch brought or took while the list was being read stays as the watch said."""
    cluster = Cluster(Scene())
    cluster.scene.put(model("gone"))
    listed = cluster.serve(model("gone"))
    arrived = {**model("fresh"), "kind": ATTESTED_MODEL.name}

    def fault(method: str, path: str) -> None:
        cluster.intake.gone(ATTESTED_MODEL, listed)
        cluster.intake.arrived(ATTESTED_MODEL, arrived)

    cluster.api.fault = fault
    await cluster.intake.sweep(cluster.api, ATTESTED_MODEL)
    assert cluster.scene.world.models() == {Key(ATTESTED_MODEL.name, TEAM, "fresh")}


async def test_list_that_breaks_off_removes_nothing() -> None:
    """Half a list is no proof that the other half is gone."""
    cluster = Cluster(verified_scene())

    def fault(method: str, path: str) -> None:
        raise ApiUnavailable("away")

    cluster.api.fault = fault
    with pytest.raises(ApiUnavailable):
        await cluster.intake.sweep(cluster.api, ATTESTED_MODEL)
    assert cluster.scene.world.models() == {MODEL}


async def test_work_goes_to_the_queue_of_its_kind() -> None:
    """A storm of models does not hold up pods."""
    cluster = Cluster(Scene())
    cluster.intake.arrived(CLUSTER_SAFETY_POLICY, vouching.policy(FLOOR_SPEC))
    cluster.intake.arrived(ATTESTED_MODEL, model("demo"))
    cluster.intake.arrived(POD, pod())
    assert [len(queue) for queue in cluster.queues.all()] == [1, 1, 1]


async def test_first_list_reads_every_kind_and_a_list_after_a_break_leads_to_a_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watch's own first list is no break; a later one is, and is swept until it succeeds."""
    monkeypatch.setattr("quorate_operator.sweeper.SETTLE_SECONDS", 0.0)
    cluster = Cluster(verified_scene())
    sweeper = Sweeper(cluster.api, cluster.intake)
    await sweeper.first()
    assert [path for _, path in cluster.api.calls] == [kind.path() for kind in WATCHED]
    cluster.api.calls.clear()
    failures = iter([True, True])

    def fault(method: str, path: str) -> None:
        if next(failures, False):
            raise ApiUnavailable("away")

    cluster.api.fault = fault
    running = asyncio.create_task(sweeper.run())
    sweeper.listed(POD)
    await asyncio.sleep(0.01)
    assert cluster.api.calls == []
    sweeper.listed(POD)
    await asyncio.sleep(0.05)
    running.cancel()
    assert cluster.api.calls == [("GET", POD.path())] * 3
