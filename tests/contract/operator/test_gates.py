"""What the API server does with the patch that releases a pod."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.admission.released import Release, changeable
from quorate.admission.released import release as released
from quorate.errors import QuorateError
from quorate_io.clock import SystemClock
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.gate import Gates
from quorate_operator.kinds import POD, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import ReleaseGate, Target
from tests.unit.operator.fake_api import Holding, Marking

pytestmark = [pytest.mark.cluster]
Document = dict[str, Any]
MARK = names.RELEASED_ANNOTATION


async def create(
    api: ApiServer, namespace: str, *gates: str, annotations: dict[str, str] | None = None
) -> Document:
    """A gated pod."""
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "chat", "annotations": annotations or {}},
        "spec": {
            "containers": [{"name": "c", "image": "example.test/none"}],
            "schedulingGates": [{"name": gate} for gate in gates],
            "automountServiceAccountToken": False,
        },
    }
    return await api.create(POD, namespace, document)


def release(pod: Document, index: int = 0, **changes: str) -> ReleaseGate:
    """The action that releases a pod."""
    metadata = pod["metadata"] | changes
    key = Key(POD.name, metadata["namespace"], metadata["name"])
    return ReleaseGate(
        Target(key, metadata["uid"], "v1"),
        metadata["resourceVersion"],
        index,
        metadata["creationTimestamp"],
        changeable(pod),
        bool(metadata.get("annotations")),
    )


def gates_of(pod: Document) -> list[str]:
    """Names of a pod's gates."""
    return [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]


class Releases:
    """Releases pods and counts."""

    def __init__(self, api: ApiServer) -> None:
        self.registry = CollectorRegistry()
        self._gates = Gates(api, Holding(), Marking(), SystemClock(), Metrics(self.registry))
        self._api = api

    async def release(self, action: ReleaseGate) -> list[str]:
        """Carry out; returns the pod's gates afterwards."""
        await self._gates.release(action)
        key = action.target.key
        return gates_of(await self._api.get(POD.path(key.namespace, key.name)))

    @property
    def count(self) -> float:
        """How many were released."""
        return self.registry.get_sample_value("quorate_operator_gates_released_total") or 0.0


@pytest.mark.requirement("operator: removes only our scheduling gate")
async def test_only_our_gate_goes(api: ApiServer, namespace: str) -> None:
    """Another controller's gate stays where it is."""
    pod = await create(api, namespace, "other.test/gate", names.SCHEDULING_GATE, "third.test/gate")
    releases = Releases(api)
    assert await releases.release(release(pod, 1)) == ["other.test/gate", "third.test/gate"]
    assert releases.count == 1
    waited = releases.registry.get_sample_value("quorate_operator_gate_release_seconds_sum")
    assert waited is not None
    assert 0.0 <= waited < 60.0


async def test_last_gate_goes(api: ApiServer, namespace: str) -> None:
    """A pod with only our gate has none afterwards."""
    pod = await create(api, namespace, names.SCHEDULING_GATE)
    assert await Releases(api).release(release(pod)) == []


@pytest.mark.requirement("escape scan: what admission let run is no escape")
@pytest.mark.parametrize("annotations", [None, {"example.com/a": "b", MARK: "forged"}])
async def test_released_pod_is_marked(
    api: ApiServer, namespace: str, annotations: dict[str, str] | None
) -> None:
    """With annotations or without, and in place of a mark that its maker put there."""
    pod = await create(api, namespace, names.SCHEDULING_GATE, annotations=annotations)
    assert await Releases(api).release(release(pod)) == []
    after = await api.get(POD.path(namespace, "chat"))
    assert released(after, await Marking().key()) is Release.INTACT
    assert set(after["metadata"]["annotations"]) == {MARK, *(annotations or ())}


@pytest.mark.requirement("operator: releases exactly the pod that was judged")
@pytest.mark.parametrize("changed", ["uid", "resourceVersion", "index"])
async def test_pod_that_is_not_the_one_that_was_judged_keeps_its_gate(
    api: ApiServer, namespace: str, changed: str
) -> None:
    """Another incarnation, another version, another gate at that place: nothing is removed."""
    pod = await create(api, namespace, names.SCHEDULING_GATE, "other.test/gate")
    action = {
        "uid": lambda: release(pod, uid="00000000-0000-0000-0000-000000000000"),
        "resourceVersion": lambda: release(pod, resourceVersion="1"),
        "index": lambda: release(pod, 1),
    }[changed]()
    releases = Releases(api)
    kept = [names.SCHEDULING_GATE, "other.test/gate"]
    assert await releases.release(action) == kept
    assert releases.count == 0


async def test_gone_pod_is_nothing_to_release(api: ApiServer, namespace: str) -> None:
    """A pod that was deleted meanwhile is no failure."""
    pod = await create(api, namespace, names.SCHEDULING_GATE)
    action = release(pod, name="other")
    metrics = Metrics(CollectorRegistry())
    await Gates(api, Holding(), Marking(), SystemClock(), metrics).release(action)


async def test_refusal_is_raised(api: ApiServer, namespace: str) -> None:
    """What the API server or the webhook refuses must be tried again, so it is not swallowed."""
    pod = await create(api, namespace, names.SCHEDULING_GATE)
    action = release(pod, namespace="no/such")
    with pytest.raises(QuorateError):
        await Releases(api).release(action)
