"""A pod's report, from the member's answer to the real API server: incident, deletion, limits."""

import json
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.alerts import Rule
from quorate_io.clock import SystemClock
from quorate_io.member_api import PodReports, Report
from quorate_io.operator_client import MemberLink
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.events import Events
from quorate_operator.effects.removal import PER_OWNER, Removals
from quorate_operator.kinds import EVENT, NAMESPACE, POD, SAFETY_INCIDENT, Key
from quorate_operator.metrics import Metrics
from quorate_operator.report_reader import ReportReader
from quorate_operator.report_response import ReportResponse
from tests.contract.operator.control_plane import ControlPlane
from tests.unit.operator.fake_api import Holding, Monotonic
from tests.unit.operator.links import Link
from tests.unit.operator.scene import Scene

pytestmark = [pytest.mark.cluster]
Document = dict[str, Any]


class Stand:
    """An operator's reader over the real API server; the world is what was listed there."""

    def __init__(self, api: ApiServer, plane: ControlPlane, namespace: str) -> None:
        self.api, self.plane, self.namespace = api, plane, namespace
        metrics, clock = Metrics(CollectorRegistry()), SystemClock()
        ticks, holding = Monotonic(), Holding()
        events = Events(api, holding, "op-0", clock, ticks, metrics)
        alerts = Alerts(api, holding, events, clock, ticks, metrics)
        self.member, self.world = Link(), Scene().world
        removals = Removals(api, holding, alerts, events, ticks, metrics)
        self.reader = ReportReader(cast(MemberLink, self.member), self.world, ticks)
        self.response = ReportResponse(
            lambda: [self.reader.words], self.world, alerts, removals, clock, ticks
        )
        labels = {names.MODE_LABEL: "enforce"}
        document = {"kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        self.world.put(NAMESPACE, document, clock.now())

    async def pod(self, name: str) -> Document:
        """A pod of one controller, made and seen."""
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {names.MODEL_LABEL: "demo"},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "name": "rs",
                        "uid": "11111111-2222-3333-4444-555555555555",
                        "controller": True,
                    }
                ],
            },
            "spec": {"containers": [{"name": "c", "image": "registry.example.test/c:1"}]},
        }
        self.plane.kubectl("create", "-f", "-", stdin=json.dumps(document))
        found = await self.api.get(POD.path(self.namespace, name))
        self.world.put(POD, found, SystemClock().now())
        return found

    async def reported(self, pod: Document, uid: str = "") -> None:
        """The pod reports a foreign listener, and the operator reads it."""
        now = SystemClock().now()
        report = Report(rule=Rule.FOREIGN_LISTENER, message="0.0.0.0:9000", since=now)
        metadata = pod["metadata"]
        self.member.tells(
            PodReports(
                uid=uid or metadata["uid"],
                namespace=self.namespace,
                name=metadata["name"],
                reports=(report,),
            )
        )
        await self.reader.read()
        await self.response.act()

    async def there(self, name: str) -> bool:
        """Whether the API server has the pod."""
        try:
            await self.api.get(POD.path(self.namespace, name))
        except ApiRefused as error:
            return error.status != 404
        return True

    async def incidents(self) -> dict[str, Document]:
        """Incidents by the name of their subject."""
        found = [item async for item in self.api.list(SAFETY_INCIDENT, self.namespace)]
        return {item["spec"]["subject"]["name"]: item for item in found}


@pytest.mark.requirement("a foreign listener → incident, the operator deletes the pod")
async def test_a_reported_pod_is_deleted_and_it_is_written_down(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """The CRD takes the incident with its action, and both Events are there."""
    stand = Stand(api, plane, namespace)
    pod = await stand.pod("chat")
    await stand.reported(pod)
    assert not await stand.there("chat")
    incident = (await stand.incidents())["chat"]
    assert incident["spec"]["subject"]["uid"] == pod["metadata"]["uid"]
    assert incident["status"]["count"] == 1
    (action,) = incident["status"]["actions"]
    assert (action["name"], action["actor"]) == ("PodDeleted", names.OPERATOR_USER)
    events = [item async for item in api.list(EVENT, namespace)]
    assert {(e["reason"], e["regarding"]["kind"]) for e in events} == {
        ("ForeignListener", "SafetyIncident"),
        ("PodDeleted", "Pod"),
    }


@pytest.mark.requirement("a report for a pod that is unknown or not protected: no action")
async def test_a_report_of_another_incarnation_deletes_nothing(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """Neither by the operator's own knowledge, nor, if that is old, by the precondition."""
    stand = Stand(api, plane, namespace)
    pod = await stand.pod("chat")
    await stand.reported(pod, uid="99999999-2222-3333-4444-555555555555")
    assert await stand.there("chat")
    assert await stand.incidents() == {}
    key = Key(POD.name, namespace, "chat")
    with pytest.raises(ApiRefused) as refused:
        await api.delete(POD, key, "99999999-2222-3333-4444-555555555555")
    assert refused.value.status == 409
    assert await stand.there("chat")


@pytest.mark.requirement("deletions are bounded for each controller")
async def test_the_last_of_many_is_left(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """PER_OWNER pods of a controller go; the next stays, and its incident says why."""
    stand = Stand(api, plane, namespace)
    for number in range(PER_OWNER + 1):
        await stand.reported(await stand.pod(f"chat-{number}"))
    there = [await stand.there(f"chat-{number}") for number in range(PER_OWNER + 1)]
    assert there == [False] * PER_OWNER + [True]
    (action,) = (await stand.incidents())[f"chat-{PER_OWNER}"]["status"]["actions"]
    assert action["name"] == "PodLeftUnready"
