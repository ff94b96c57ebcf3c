"""Exceptions as the operator keeps them: first the incident, then the lifting, then the end."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate.api.v1alpha1 import SafetyIncident
from quorate.api.v1alpha1.meta import read
from quorate_operator.alerts import Alerts
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.events import Events
from quorate_operator.exceptions import ExceptionKeeper
from quorate_operator.intake import Intake, Queues
from quorate_operator.kinds import SAFETY_EXCEPTION, SAFETY_INCIDENT, Key
from quorate_operator.metrics import Metrics
from tests.fakes.exceptions import approvers, exception
from tests.fakes.vouching import NOW, signer
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.scene import FLOOR_SPEC, MODEL, Scene

CHIEF = signer()
SYSTEM = "quorate-system"
REQUIREMENT = "an exception is always an incident"


class Kept:
    """A scene with a keeper on an API server in memory."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.scene.floor(FLOOR_SPEC | {"exceptions": approvers(CHIEF)})
        self.scene.model()
        self.api = FakeApi()
        self.clock = FixedClock(NOW)
        self.events_seen = Metrics(CollectorRegistry())
        holding, monotonic = Holding(), Monotonic()
        events = Events(self.api, holding, "op-0", self.clock, monotonic, self.events_seen)
        alerts = Alerts(self.api, holding, events, self.clock, monotonic, self.events_seen)
        world = self.scene.world
        intake = Intake(world, Queues(), self.clock)
        self.keeper = ExceptionKeeper(
            world, self.api, holding, alerts, events, self.clock, intake.arrived
        )

    def put(self, document: dict[str, Any]) -> None:
        """Have the API server hold it, and the watch bring it."""
        metadata = document["metadata"]
        path = SAFETY_EXCEPTION.path(metadata["namespace"], metadata["name"])
        self.scene.world.put(SAFETY_EXCEPTION, self.api.put(path, document), NOW)

    def status(self, namespace: str = SYSTEM, name: str = "late-gate") -> dict[str, Any]:
        path = SAFETY_EXCEPTION.path(namespace, name)
        found: dict[str, Any] = self.api.objects[path].get("status") or {}
        return found

    def reason(self, **where: str) -> str:
        return str(self.status(**where)["conditions"][0]["reason"])

    @property
    def incidents(self) -> list[dict[str, Any]]:
        prefix = SAFETY_INCIDENT.path(SYSTEM)
        return [d for p, d in self.api.objects.items() if p.startswith(prefix)]

    @property
    def relayed(self) -> list[Any]:
        known = self.scene.world.get(MODEL)
        assert known is not None
        return list(known.relayed.get("exceptions", []))


@pytest.mark.requirement(REQUIREMENT)
async def test_the_incident_comes_first() -> None:
    """Nothing is relayed before it is open; it says who approved, why and until when."""
    kept = Kept()
    kept.put(exception("Gate/red-team", CHIEF, incident=""))
    assert kept.relayed == []
    documents = kept.scene.world.get(MODEL)
    assert documents is not None
    before = documents.documents
    active = await kept.keeper.look()
    assert active == {"uid-late-gate"}
    (document,) = kept.incidents
    found = read(SafetyIncident, document)
    assert found.spec.severity == "High"
    assert "Gate/red-team" in found.spec.summary
    assert [a.approver for a in found.spec.approvals] == [CHIEF.public_key.key_id]
    assert kept.status()["incident"] == found.metadata.name
    assert kept.reason() == "Approved"
    assert [e["metadata"]["name"] for e in kept.relayed] == ["late-gate"]
    assert MODEL in kept.scene.pending.objects
    now = kept.scene.world.get(MODEL)
    assert now is not None
    assert now.documents != before


@pytest.mark.requirement(REQUIREMENT)
async def test_without_an_incident_nothing_is_lifted() -> None:
    """The API server takes no incident: the status names none, and the next look tries again."""
    kept = Kept()
    kept.put(exception("Gate/red-team", CHIEF, incident=""))

    def fault(method: str, path: str) -> None:
        if method == "POST" and "safetyincidents" in path:
            raise ApiUnavailable("no")

    kept.api.fault = fault
    await kept.keeper.look()
    assert (kept.relayed, kept.incidents) == ([], [])
    kept.api.fault = lambda method, path: None
    await kept.keeper.look()
    assert len(kept.relayed) == len(kept.incidents) == 1


@pytest.mark.requirement("an exception outside the protected namespace is ignored, and says why")
async def test_elsewhere_it_is_ignored() -> None:
    """A condition says so; no incident, nothing relayed."""
    kept = Kept()
    kept.put(exception("Gate/red-team", CHIEF, namespace="team-a", incident="forged"))
    assert await kept.keeper.look() == set()
    assert kept.reason(namespace="team-a") == "NotProtectedNamespace"
    assert (kept.relayed, kept.incidents) == ([], [])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (exception("Gate/red-team"), "NotApproved"),
        (exception("Gate/red-team", signer()), "NotApproved"),
        (exception("Gate/red-team", CHIEF, life=timedelta(hours=1)), "Expired"),
        (exception("Gate/red-team", CHIEF, policy="other"), "PolicyUnknown"),
        (exception("Gate/red-team") | {"spec": {"requirement": "Everything"}}, "Malformed"),
    ],
)
async def test_the_condition_says_why_it_does_not_count(document: Any, reason: str) -> None:
    """And no incident is opened for what lifts nothing."""
    kept = Kept()
    kept.put(document)
    await kept.keeper.look()
    assert kept.reason() == reason
    assert kept.status()["conditions"][0]["status"] == "False"
    assert kept.incidents == []


@pytest.mark.requirement("an exception's incident is closed when it ends")
async def test_the_end_closes_the_incident() -> None:
    """By time or by deletion; approved anew it is another incident."""
    kept = Kept()
    kept.put(exception("Gate/red-team", CHIEF, incident=""))
    await kept.keeper.end_others(await kept.keeper.look())
    assert "conditions" not in kept.incidents[0]["status"]
    kept.clock.time = NOW + timedelta(days=2)
    await kept.keeper.end_others(await kept.keeper.look())
    assert kept.reason() == "Expired"
    (closed,) = kept.incidents
    condition = closed["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("Open", "False")
    assert closed["status"]["actions"][-1]["name"] == "Closed"
    assert kept.relayed == []
    later = exception("Gate/red-team", CHIEF, decided_at=kept.clock.time, incident="")
    kept.put(later)
    active = await kept.keeper.look()
    assert len(kept.incidents) == 2
    kept.scene.world.remove(Key(SAFETY_EXCEPTION.name, SYSTEM, "late-gate"))
    await kept.keeper.end_others(active - {"uid-late-gate"})
    assert all(i["status"]["conditions"][0]["status"] == "False" for i in kept.incidents)
