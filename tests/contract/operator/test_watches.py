"""The watches at a real API server: what they bring, and that they leave no trace."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client, config

from quorate import names
from quorate_operator import handlers
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    WATCHED,
    Key,
    Kind,
)
from quorate_operator.sweeper import Sweeper
from quorate_operator.watch_age import WatchAges
from quorate_operator.watch_session import WatchSession
from tests.contract.operator.control_plane import ControlPlane, prepared, serve_kinds
from tests.fakes import vouching
from tests.unit.operator.fake_api import FixedClock
from tests.unit.operator.scene import FLOOR_SPEC, Scene, signed_and_gated

pytestmark = [pytest.mark.cluster]
Document = dict[str, Any]


class Watching:
    """The watches as the operator runs them, and what they brought."""

    def __init__(self, api: ApiServer) -> None:
        self.scene = Scene()
        self.api = api
        self.ages = WatchAges(WATCHED, time.monotonic)
        self.listed: list[str] = []
        self.arrived: list[Key] = []
        self.gone: list[Key] = []
        clock = FixedClock(vouching.NOW)
        self.intake = Intake(self.scene.world, Queues(), clock)
        self.sweeper = Sweeper(api, self.intake)

    def _arrived(self, kind: Kind, document: Document) -> None:
        self.arrived.append(key(kind, document))
        self.intake.arrived(kind, document)

    def _gone(self, kind: Kind, document: Document) -> None:
        self.gone.append(key(kind, document))
        self.intake.gone(kind, document)

    def _listed(self, kind: Kind) -> None:
        self.listed.append(kind.name)
        self.sweeper.listed(kind)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        session = WatchSession(
            self.api.configuration, lambda kind: self.ages.heard(kind.name), self._listed
        )
        self.ages.begin()
        sweeps = asyncio.create_task(self.sweeper.run())
        watch = asyncio.create_task(handlers.watch(session, self._arrived, self._gone))
        try:
            yield
        finally:
            for task in (watch, sweeps):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


def key(kind: Kind, document: Document) -> Key:
    """An object's key."""
    return Key(kind.name, document["metadata"].get("namespace", ""), document["metadata"]["name"])


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is at the API server
            await asyncio.sleep(0.02)


def pod(name: str, **labels: str) -> Document:
    """A pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "containers": [{"name": "c", "image": "example.test/none"}],
            "automountServiceAccountToken": False,
        },
    }


@pytest.mark.requirement("operator: watches; kopf writes nothing to any object")
async def test_watches_bring_everything_and_write_nothing(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """What is there, what comes, changes and goes; without a trace on any of it."""
    model = signed_and_gated()
    model["metadata"] = {"name": "demo", "namespace": namespace}
    before = await api.create(ATTESTED_MODEL, namespace, model)
    labelled = {names.MODEL_LABEL: "demo"}
    model_key = Key(ATTESTED_MODEL.name, namespace, "demo")
    pod_key = Key(POD.name, namespace, "chat")
    watching = Watching(api)
    async with watching.running():
        await until(lambda: model_key in watching.arrived and watching.ages.opened())
        assert sorted(watching.listed) == sorted(kind.name for kind in WATCHED)
        first = await api.create(POD, namespace, pod("chat", **labelled))
        await api.create(POD, namespace, pod("other"))
        plane.kubectl("label", "namespace", namespace, f"{names.MODE_LABEL}=enforce")
        await until(lambda: pod_key in watching.arrived)
        await until(lambda: watching.scene.world.enforces(namespace))
        plane.kubectl("label", "namespace", namespace, f"{names.MODE_LABEL}-")
        await until(lambda: not watching.scene.world.enforces(namespace))
        plane.kubectl("-n", namespace, "delete", "pod", "chat", "--now")
        await until(lambda: pod_key in watching.gone)
        after = await api.get(ATTESTED_MODEL.path(namespace, "demo"))
    assert after == before
    assert first["metadata"].get("finalizers") is None
    assert Key(POD.name, namespace, "other") not in watching.arrived
    assert watching.ages.silent() == []
    assert Key(NAMESPACE.name, "", "default") not in watching.arrived


@pytest.mark.requirement("operator: 10,000 pods listed; the first list is quick")
async def test_many_objects_are_listed_without_a_wait(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """Several times more objects than there are workers arrive within seconds."""
    count = 1200
    items = [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": f"c{index}"}}
        | {
            "spec": {
                "accessModes": ["ReadOnlyMany"],
                "resources": {"requests": {"storage": "1Mi"}},
            }
        }
        for index in range(count)
    ]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    plane.kubectl("-n", namespace, "create", "-f", "-", stdin=document)
    watching = Watching(api)
    async with watching.running():
        await until(lambda: sum(k.namespace == namespace for k in watching.arrived) == count, 15)


@pytest.mark.requirement("operator: a deletion during a break of the watch is found")
async def test_deletion_while_the_watch_was_broken_is_found(tmp_path: Path) -> None:
    """The API server restarts, and what went meanwhile is in no event: a list finds it."""
    with prepared(tmp_path) as plane:
        with plane.api_server():
            serve_kinds(plane)
            floor = vouching.policy(FLOOR_SPEC)
            floor["metadata"] = {"name": "floor"}
            plane.kubectl("create", "-f", "-", stdin=json.dumps(floor))
            configuration = await loaded(plane.kubeconfig)
        async with ApiServer(configuration) as api:
            watching = Watching(api)
            await _break_the_watch(plane, watching)
            assert Key(CLUSTER_SAFETY_POLICY.name, "", "floor") not in watching.gone


async def _break_the_watch(plane: ControlPlane, watching: Watching) -> None:
    world = watching.scene.world
    with contextlib.ExitStack() as stack:
        stack.enter_context(plane.api_server())
        async with watching.running():
            await until(lambda: len(world.compiled()) == 1 and watching.ages.opened())
            stack.close()
            with plane.second_api_server() as kubeconfig:
                plane.kubectl("delete", "clustersafetypolicy", "floor", kubeconfig=kubeconfig)
                plane.kubectl("create", "namespace", "later", kubeconfig=kubeconfig)
            stack.enter_context(plane.api_server())
            await until(lambda: world.compiled() == (), 60.0)


async def loaded(kubeconfig: Path) -> client.Configuration:
    """A client configuration."""
    configuration = client.Configuration()
    load = config.load_kube_config
    await load(str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return configuration
