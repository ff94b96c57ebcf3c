"""What pods report, read at a member: alerts about the pod that spoke, and a bounded deletion."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.alerts import Rule
from quorate.errors import Unavailable
from quorate_io.member_api import PodReports, Report, ReportsAnswer
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.events import Events
from quorate_operator.effects.removal import BURST, PER_OWNER, WINDOW_SECONDS, Removals
from quorate_operator.kinds import POD, SAFETY_INCIDENT
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.report import ENDED_MAX
from quorate_operator.report_reader import ReportReader
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.scene import TEAM, verified_scene

Document = dict[str, Any]


class Member:
    """Answers what it was given."""

    def __init__(self) -> None:
        self.answers: deque[ReportsAnswer | Exception] = deque()
        self.cursors: list[str] = []

    async def reports(self, cursor: str = "") -> ReportsAnswer:
        self.cursors.append(cursor)
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Scene:
    """An operator without a cluster: the pods of a verified model, and a member that tells."""

    def __init__(self) -> None:
        self.cluster = verified_scene()
        self.api, self.monotonic, self.holding = FakeApi(), Monotonic(), Holding()
        self.clock = FixedClock(self.cluster.now)
        self.metrics = Metrics(CollectorRegistry())
        api, clock, holding, ticks = self.api, self.clock, self.holding, self.monotonic
        events = Events(api, holding, "op-0", clock, ticks, self.metrics)
        alerts = Alerts(api, holding, events, clock, ticks, self.metrics)
        self.member = Member()
        removals = Removals(api, holding, alerts, events, ticks, self.metrics)
        world = self.cluster.world
        self.reader = ReportReader(self.member, world, alerts, removals, clock, ticks)

    def pod(self, name: str = "chat-0", owner: str = "rs-1", **metadata: Any) -> str:
        """A running pod of the model, here and at the API server; its UID."""
        document: Document = {
            "kind": POD.name,
            "metadata": {
                "name": name,
                "namespace": TEAM,
                "uid": f"uid-{name}",
                "labels": {names.MODEL_LABEL: "demo"},
                "ownerReferences": [{"kind": "ReplicaSet", "uid": owner, "controller": True}],
                **metadata,
            },
            "spec": {"containers": []},
            "status": {"phase": "Running"},
        }
        self.cluster.put(document)
        self.api.put(POD.path(TEAM, name), document)
        return str(document["metadata"]["uid"])

    def says(self, rule: Rule = Rule.FOREIGN_LISTENER, until: datetime | None = None) -> Report:
        """A report."""
        return Report(rule=rule, message="0.0.0.0:9000", since=self.clock.time, until=until)

    async def tell(self, *pods: PodReports, whole: bool = True) -> None:
        """The member tells of these pods."""
        answer = ReportsAnswer(cursor="e.1", whole=whole, more=False, pods=pods)
        self.member.answers.append(answer)
        assert not await self.reader.read()
        await self.reader.act()

    async def about(self, *reports: Report, name: str = "chat-0", uid: str = "") -> None:
        """A pod reports this."""
        uid = uid or f"uid-{name}"
        await self.tell(
            PodReports(uid=uid, namespace=TEAM, name=name, reports=reports), whole=False
        )

    @property
    def incidents(self) -> list[Document]:
        """All incidents."""
        prefix = SAFETY_INCIDENT.path(TEAM)
        return [d for p, d in self.api.objects.items() if p.startswith(prefix)]

    @property
    def events(self) -> list[tuple[str, str]]:
        """Reason and object of all Events."""
        found = [d for p, d in self.api.objects.items() if "/events/" in p]
        return [(event["reason"], event["regarding"]["kind"]) for event in found]

    def there(self, name: str = "chat-0") -> bool:
        """Whether the API server still has the pod."""
        return POD.path(TEAM, name) in self.api.objects


@pytest.mark.requirement("a foreign listener → incident, the operator deletes the pod")
async def test_a_foreign_listener_is_an_incident_and_ends_the_pod() -> None:
    """Subject with UID, owners of the model, an Event each, and the deletion as an action."""
    scene = Scene()
    uid = scene.pod()
    await scene.about(scene.says())
    (incident,) = scene.incidents
    spec, status = incident["spec"], incident["status"]
    assert (spec["rule"], spec["severity"]) == ("ForeignListener", "Critical")
    assert spec["subject"] == {"kind": "Pod", "name": "chat-0", "uid": uid}
    assert spec["owners"]["model"]["name"]
    assert "0.0.0.0:9000" in spec["summary"]
    assert status["count"] == 1
    (action,) = status["actions"]
    assert (action["name"], action["actor"]) == ("PodDeleted", names.OPERATOR_USER)
    assert scene.events == [("ForeignListener", "SafetyIncident"), ("PodDeleted", "Pod")]
    assert not scene.there()


async def test_a_repeat_keeps_the_actions() -> None:
    """The count goes up and what was done stays written."""
    scene = Scene()
    scene.pod()
    await scene.about(scene.says())
    scene.monotonic.time += REPEAT_SECONDS
    await scene.about(scene.says())
    (incident,) = scene.incidents
    assert incident["status"]["count"] == 2
    assert len(incident["status"]["actions"]) == 1


@pytest.mark.parametrize("rule", [Rule.AUDIT_LOG_NOT_WRITTEN, Rule.MODEL_MISMATCH])
async def test_other_reports_delete_nothing(rule: Rule) -> None:
    """The sidecar denies by itself; a person decides about the rest."""
    scene = Scene()
    scene.pod()
    await scene.about(scene.says(rule))
    assert [i["spec"]["rule"] for i in scene.incidents] == [rule]
    assert scene.there()


@pytest.mark.requirement("a report for a pod that is unknown or not protected: no action")
async def test_reports_that_lead_to_nothing() -> None:
    """Of another UID, of an unknown pod, of a pod that nothing protects any more."""
    scene = Scene()
    scene.pod()
    await scene.about(scene.says(), uid="another-uid")
    await scene.about(scene.says(), name="unknown")
    scene.cluster.label(None)
    await scene.about(scene.says())
    assert scene.incidents == []
    assert scene.there()
    writes = [call for call in scene.api.calls if call[0] != "GET"]
    assert writes == []


async def test_a_pod_of_the_same_name_is_not_deleted_in_its_place() -> None:
    """The precondition holds at the API server if the pod was replaced meanwhile."""
    scene = Scene()
    scene.pod()
    document = scene.api.objects[POD.path(TEAM, "chat-0")]
    document["metadata"]["uid"] = "the-next-one"
    await scene.about(scene.says())
    assert scene.there()


@pytest.mark.requirement("deletions are bounded for each controller")
async def test_pods_that_always_listen_are_left_in_the_end() -> None:
    """After PER_OWNER deletions within the window the next stays, for good, and it is said."""
    scene = Scene()
    for number in range(PER_OWNER + 1):
        scene.pod(f"chat-{number}")
        await scene.about(scene.says(), name=f"chat-{number}")
    left = f"chat-{PER_OWNER}"
    assert [scene.there(f"chat-{n}") for n in range(PER_OWNER + 1)] == [False] * 3 + [True]
    (incident,) = [i for i in scene.incidents if i["spec"]["subject"]["name"] == left]
    (action,) = incident["status"]["actions"]
    assert action["name"] == "PodLeftUnready"
    assert ("PodLeftUnready", "Pod") in scene.events
    scene.monotonic.time += WINDOW_SECONDS
    await scene.about(scene.says(), name=left)
    assert scene.there(left)
    scene.pod("other", owner="rs-2")
    await scene.about(scene.says(), name="other")
    assert not scene.there("other")


async def test_a_flood_of_reports_does_not_empty_the_cluster() -> None:
    """Over all controllers no more than a burst goes at once; the rest waits its turn."""
    scene = Scene()
    count = int(BURST) + 5
    pods = []
    for number in range(count):
        uid = scene.pod(f"p-{number}", owner=f"rs-{number}")
        reports = (scene.says(),)
        pods.append(PodReports(uid=uid, namespace=TEAM, name=f"p-{number}", reports=reports))
    await scene.tell(*pods)
    assert sum(scene.there(f"p-{n}") for n in range(count)) == 5
    scene.monotonic.time += 20
    await scene.tell(whole=False)
    assert not any(scene.there(f"p-{n}") for n in range(count))


@pytest.mark.requirement("operator: nothing is written without the Lease")
async def test_nothing_is_deleted_without_the_lease() -> None:
    """Neither incident nor deletion; both follow once it is held."""
    scene = Scene()
    scene.pod()
    scene.holding.held = False
    await scene.about(scene.says())
    assert scene.there()
    assert scene.incidents == []
    scene.holding.held = True
    await scene.tell(whole=False)
    assert not scene.there()
    assert len(scene.incidents) == 1


async def test_what_fails_is_tried_again() -> None:
    """An API server that was away gets incident and deletion later, once each."""
    scene = Scene()
    scene.pod()

    def away(method: str, path: str) -> None:
        raise ApiUnavailable("away")

    scene.api.fault = away
    await scene.about(scene.says())
    scene.api.fault = lambda method, path: None
    for _ in range(3):
        await scene.tell(whole=False)
    assert not scene.there()
    (incident,) = scene.incidents
    assert incident["status"]["count"] == 1
    assert len(incident["status"]["actions"]) == 1


async def test_what_ended_is_raised_once_and_old_news_never() -> None:
    """A state that was late for a while is an incident; one of before a restart is none."""
    scene = Scene()
    scene.pod()
    ended = scene.says(Rule.STATE_AGE_HIGH, until=scene.clock.time)
    await scene.about(ended)
    scene.monotonic.time += REPEAT_SECONDS
    await scene.about(ended)
    (incident,) = scene.incidents
    assert incident["status"]["count"] == 1
    restarted = Scene()
    restarted.pod()
    restarted.clock.time += ENDED_MAX + timedelta(seconds=1)
    await restarted.about(ended)
    assert restarted.incidents == []


async def test_a_member_that_began_anew_is_believed_anew() -> None:
    """What it no longer tells is forgotten; a silent one changes nothing."""
    scene = Scene()
    scene.pod()
    await scene.about(scene.says(Rule.AUDIT_LOG_NOT_WRITTEN))
    scene.member.answers.append(Unavailable("away"))
    with pytest.raises(Unavailable):
        await scene.reader.read()
    assert scene.member.cursors == ["", "e.1"]
    await scene.tell(whole=True)
    scene.monotonic.time += REPEAT_SECONDS
    await scene.tell(whole=False)
    (incident,) = scene.incidents
    assert incident["status"]["count"] == 1
