"""The escape scan over the real API server: paged lists, mirrors, deletion, the incident's kind."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.admission.escape import MIRROR_ANNOTATION
from quorate_io.clock import SystemClock
from quorate_operator import escape_scan
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.cordon import Cordons
from quorate_operator.effects.events import Events
from quorate_operator.effects.removal import Removals
from quorate_operator.escape_response import EscapeResponse
from quorate_operator.escape_scan import EscapeScan
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import (
    ANY_POD,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    SAFETY_INCIDENT,
)
from quorate_operator.metrics import Metrics
from tests.contract.operator.control_plane import ControlPlane
from tests.fakes import vouching
from tests.unit.operator.fake_api import Holding, Marking, Monotonic
from tests.unit.operator.scene import FLOOR_SPEC, Scene

pytestmark = [pytest.mark.cluster]
Document = dict[str, Any]
EXEMPT = f"registry.example.test/batch@{vouching.EXEMPT_DIGEST}"


def pod(name: str, image: str = "registry.example.test/c:1", **metadata: Any) -> Document:
    """A pod that no part of us has touched."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {
            "containers": [{"name": "c", "image": image}],
            "automountServiceAccountToken": False,
        },
    }


def scan_of(api: ApiServer) -> tuple[EscapeScan, Intake]:
    """An operator's scan that knows nothing yet."""
    metrics, clock, ticks = Metrics(CollectorRegistry()), SystemClock(), Monotonic()
    holding, world = Holding(), Scene().world
    events = Events(api, holding, "op-0", clock, ticks, metrics)
    alerts = Alerts(api, holding, events, clock, ticks, metrics)
    removals = Removals(api, holding, alerts, events, ticks, metrics)
    cordons = Cordons(api, holding, alerts, ticks, enabled=True)
    intake = Intake(world, Queues(), clock)
    response = EscapeResponse(world, alerts, events, removals, cordons, "default", ticks)
    return EscapeScan(api, world, intake, Marking(), response, clock, ticks, metrics), intake


@pytest.mark.requirement("escape scan: SafetyIncident, Event, deletion with UID precondition")
@pytest.mark.requirement("static pods: incident, and cordon only if asked for")
async def test_what_never_met_admission_goes_and_a_static_pod_is_told_of(
    api: ApiServer, plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on the second page of the list; the exempt pod stays, and the mirror's node is
    cordoned."""
    monkeypatch.setattr(escape_scan, "PAGE", 2)
    spec = FLOOR_SPEC | {
        "exemptImages": [{"digest": vouching.EXEMPT_DIGEST, "reason": "a batch job"}]
    }
    policy = vouching.policy(spec, name=namespace)
    del policy["metadata"]["uid"], policy["metadata"]["generation"]
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    plane.kubectl("label", "namespace", namespace, f"{names.MODE_LABEL}=enforce")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{namespace}"}}
    plane.kubectl("create", "-f", "-", stdin=json.dumps(node))
    mirror = pod("static", annotations={MIRROR_ANNOTATION: "0123"})
    mirror["spec"]["nodeName"] = f"node-{namespace}"
    made = [*(pod(f"bare-{number}") for number in range(3)), pod("batch", EXEMPT), mirror]
    for document in made:
        await api.create(POD, namespace, document)
    scan, intake = scan_of(api)
    for kind in (NAMESPACE, CLUSTER_SAFETY_POLICY):
        await intake.sweep(api, kind)
    await scan.look()
    there = {item["metadata"]["name"] async for item in api.list(ANY_POD, namespace)}
    assert there == {"batch", "static"}
    incidents = {
        (item["spec"]["rule"], item["spec"]["subject"]["name"]): [
            action["name"] for action in item["status"].get("actions", [])
        ]
        async for item in api.list(SAFETY_INCIDENT, namespace)
    }
    assert incidents == {
        **{("PodEscaped", f"bare-{number}"): ["PodDeleted"] for number in range(3)},
        ("StaticPodFound", "static"): ["NodeCordoned"],
    }
    cordoned = await api.get(f"/api/v1/nodes/node-{namespace}")
    assert cordoned["spec"]["unschedulable"] is True
    plane.kubectl("label", "namespace", namespace, f"{names.MODE_LABEL}-")
    plane.kubectl("delete", "clustersafetypolicy", namespace)
    await intake.sweep(api, NAMESPACE)
    await api.create(POD, namespace, pod("later"))
    await scan.look()
    assert await _there(api, namespace, "later")


async def _there(api: ApiServer, namespace: str, name: str) -> bool:
    try:
        await api.get(POD.path(namespace, name))
    except ApiRefused:
        return False
    return True
