"""What pods report: alerts about the pod that spoke, and a bounded deletion."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.alerts import Rule
from quorate.consensus.thresholds import PRESETS
from quorate.errors import Unavailable
from quorate_io.member_api import PodReports, Report
from quorate_io.operator_client import MemberLink
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.events import Events
from quorate_operator.effects.removal import BURST, PER_OWNER, WINDOW_SECONDS, Removals
from quorate_operator.kinds import POD, SAFETY_INCIDENT, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.corroboration import Words
from quorate_operator.reconcile.report import ENDED_MAX
from quorate_operator.report_reader import PAGES_RATE, ReportReader
from quorate_operator.report_response import ReportResponse
from tests.fakes.vouching import Committee
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.links import Link, Stop
from tests.unit.operator.scene import TEAM, verified_scene

Document = dict[str, Any]


class Scene:
    """An operator without a cluster: the pods of a verified model, and members that tell."""

    def __init__(self, committee: Committee | None = None) -> None:
        self.cluster = verified_scene(committee)
        self.api, self.monotonic, self.holding = FakeApi(), Monotonic(), Holding()
        self.clock = FixedClock(self.cluster.now)
        self.metrics = Metrics(CollectorRegistry())
        api, clock, holding, ticks = self.api, self.clock, self.holding, self.monotonic
        events = Events(api, holding, "op-0", clock, ticks, self.metrics)
        alerts = Alerts(api, holding, events, clock, ticks, self.metrics)
        removals = Removals(api, holding, alerts, events, ticks, self.metrics)
        world = self.cluster.world
        self.members = [Link(seat) for seat in self.cluster.committee.genesis.members]
        links = [cast(MemberLink, member) for member in self.members]
        self.readers = [ReportReader(link, world, ticks) for link in links]
        self.response = ReportResponse(self.heard, world, alerts, removals, clock, ticks)

    def heard(self) -> list[Words]:
        """What each member says."""
        return [reader.words for reader in self.readers]

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

    async def tell(
        self, *pods: PodReports, whole: bool = True, members: Sequence[int] = (0,)
    ) -> None:
        """These members tell of these pods."""
        for index in members:
            self.members[index].tells(*pods, whole=whole)
            await self.readers[index].read()
        await self.response.act()

    async def about(
        self,
        *reports: Report,
        name: str = "chat-0",
        uid: str = "",
        members: Sequence[int] = (0,),
    ) -> None:
        """A pod reports this to these members."""
        uid = uid or f"uid-{name}"
        told = PodReports(uid=uid, namespace=TEAM, name=name, reports=reports)
        await self.tell(told, whole=False, members=members)

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
    scene.members[0].answers.append(Unavailable("away"))
    with pytest.raises(Unavailable):
        await scene.readers[0].read()
    assert scene.members[0].cursors == ["", "e.1"]
    await scene.tell(whole=True)
    scene.monotonic.time += REPEAT_SECONDS
    await scene.tell(whole=False)
    (incident,) = scene.incidents
    assert incident["status"]["count"] == 1


def five() -> Scene:
    """A committee of five, of whom one may lie."""
    return Scene(Committee(n=5, thresholds=PRESETS["standard"]))


@pytest.mark.requirement("corroborated reports: r + 1 members must say it")
async def test_one_member_alone_raises_nothing() -> None:
    """A member that lies about a pod costs that pod nothing; the second that says it counts."""
    scene = five()
    scene.pod()
    await scene.about(scene.says(), members=[3])
    assert scene.incidents == []
    assert scene.there()
    await scene.about(scene.says(), members=[1])
    assert len(scene.incidents) == 1
    assert not scene.there()


@pytest.mark.requirement("corroborated reports: r + 1 members must say it")
async def test_one_member_alone_hides_nothing() -> None:
    """Four heard that it holds; what the fifth says of its end is not believed."""
    scene = five()
    scene.pod()
    ended = scene.says(Rule.AUDIT_LOG_NOT_WRITTEN, until=scene.clock.time - 2 * ENDED_MAX)
    await scene.about(ended, members=[0])
    await scene.about(scene.says(Rule.AUDIT_LOG_NOT_WRITTEN), members=[1, 2])
    assert [i["spec"]["rule"] for i in scene.incidents] == [Rule.AUDIT_LOG_NOT_WRITTEN]


async def test_pods_that_are_not_there_are_not_kept() -> None:
    """A member that makes up pods fills no memory; one that went is forgotten."""
    scene = five()
    uid = scene.pod()
    await scene.about(scene.says(), name="made-up", members=[0])
    await scene.about(scene.says(), uid="another", members=[0])
    assert scene.heard()[0] == {}
    await scene.about(scene.says(Rule.AUDIT_LOG_NOT_WRITTEN), members=[0])
    assert set(scene.heard()[0]) == {uid}
    scene.cluster.world.remove(Key(POD.name, TEAM, "chat-0"))
    await scene.tell(whole=False)
    assert scene.heard()[0] == {}


async def test_a_member_that_always_has_more_is_read_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After all there can be, so many answers a second and no more."""
    scene, slept = five(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 5:
            raise Stop

    monkeypatch.setattr("quorate_operator.report_reader.asyncio.sleep", sleep)
    monkeypatch.setattr("quorate_operator.report_reader.PAGES_BURST", 3.0)
    member, reader = (
        scene.members[0],
        ReportReader(cast(MemberLink, scene.members[0]), scene.cluster.world, scene.monotonic),
    )
    for _ in range(20):
        member.tells(more=True)
    with pytest.raises(Stop):
        await reader.run()
    assert len(member.cursors) == 3 + 6
    assert set(slept) == {1 / PAGES_RATE}


@pytest.mark.requirement("an incident closes by itself when the cause is seen to have ended")
async def test_what_a_pod_says_has_ended_closes_its_incident() -> None:
    """When it is no news any more, once; not what somebody did to the pod, and not what people
    settled. A later one is another incident."""
    scene = Scene()
    scene.pod()
    late, foreign = Rule.STATE_AGE_HIGH, Rule.FOREIGN_LISTENER

    def is_open(rule: Rule) -> list[bool]:
        found = [i for i in scene.incidents if i["spec"]["rule"] == rule]
        return ["conditions" not in incident["status"] for incident in found]

    said = [scene.says(late), scene.says(foreign)]
    await scene.about(*said)
    assert is_open(late) == is_open(foreign) == [True]
    over = [msgspec.structs.replace(one, until=scene.clock.time) for one in said]
    await scene.about(*over)
    scene.clock.time += ENDED_MAX
    await scene.response.act()
    assert is_open(late) == [True]
    scene.clock.time += timedelta(seconds=1)
    scene.monotonic.time += 1000.0
    for _ in range(3):
        await scene.response.act()
    assert (is_open(late), is_open(foreign)) == ([False], [True])
    (closed,) = [i for i in scene.incidents if i["spec"]["rule"] == late]
    assert [one["name"] for one in closed["status"]["actions"]] == ["Closed"]
    await scene.about(scene.says(late))
    assert sorted(is_open(late)) == [False, True]
