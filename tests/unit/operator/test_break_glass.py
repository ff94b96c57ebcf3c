"""Break-glass: suspended enforcement is an incident, and ends by itself."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.admission.suspension import Suspension, is_over
from quorate_operator.alerts import Alerts
from quorate_operator.break_glass import BreakGlass
from quorate_operator.effects.events import Events
from quorate_operator.kinds import NAMESPACE, SAFETY_INCIDENT
from quorate_operator.metrics import Metrics
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.scene import Scene

REQUIREMENT = "break-glass: audited, self-expiring, always an incident"


class Broken:
    """A namespace in audit mode, with annotations, and what looks at it."""

    def __init__(self, mode: str = "audit", **annotations: str) -> None:
        self.scene, self.api, self.clock = Scene(), FakeApi(), FixedClock(NOW)
        metrics, holding, monotonic = Metrics(CollectorRegistry()), Holding(), Monotonic()
        events = Events(self.api, holding, "op-0", self.clock, monotonic, metrics)
        alerts = Alerts(self.api, holding, events, self.clock, monotonic, metrics)
        self.glass = BreakGlass(self.scene.world, self.api, holding, alerts, self.clock)
        self.put(mode, annotations)

    def put(self, mode: str, annotations: dict[str, str]) -> None:
        """The namespace, as the API server has it and the watch brings it."""
        metadata = {"name": "team-a", "uid": "ns-1", "labels": {names.MODE_LABEL: mode}}
        document: dict[str, Any] = {"metadata": metadata | {"annotations": annotations}}
        held = self.api.put(NAMESPACE.path(name="team-a"), document)
        self.scene.world.put(NAMESPACE, held, NOW)

    @property
    def mode(self) -> str:
        metadata = self.api.objects[NAMESPACE.path(name="team-a")]["metadata"]
        return str(metadata["labels"][names.MODE_LABEL])

    @property
    def annotations(self) -> dict[str, str]:
        metadata = self.api.objects[NAMESPACE.path(name="team-a")]["metadata"]
        return dict(metadata["annotations"])

    @property
    def incidents(self) -> list[dict[str, Any]]:
        prefix = SAFETY_INCIDENT.path(names.NAMESPACE)
        return [d for p, d in self.api.objects.items() if p.startswith(prefix)]


def until(text: str) -> dict[str, str]:
    return {
        names.ENFORCE_AGAIN: text,
        names.SUSPENDED_BECAUSE: "the member is lost",
        names.SUSPENDED_BY: "platform-lead",
    }


@pytest.mark.requirement(REQUIREMENT)
async def test_a_suspension_is_an_incident_and_ends() -> None:
    """Who, why and until stand in the incident; when it is over the namespace enforces again."""
    broken = Broken(**until("2026-11-21T14:00:00Z"))
    await broken.glass.look()
    (found,) = broken.incidents
    assert found["spec"]["severity"] == "Critical"
    for part in ("the member is lost", "2026-11-21T14:00:00Z", "by platform-lead"):
        assert part in found["spec"]["summary"]
    assert broken.mode == "audit"
    broken.clock.time = NOW + timedelta(hours=2)
    await broken.glass.look()
    assert broken.mode == "enforce"
    assert broken.annotations == {}
    (closed,) = broken.incidents
    assert closed["status"]["conditions"][0]["status"] == "False"


@pytest.mark.requirement(REQUIREMENT)
async def test_one_that_nobody_saw_is_an_incident_too() -> None:
    """The operator was away for all of it: first the incident, then the end."""
    broken = Broken(**until("2026-11-21T11:00:00Z"))
    await broken.glass.look()
    assert broken.mode == "enforce"
    assert len(broken.incidents) == 1


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("2026-11-21T12:00:01Z", False),
        ("2026-11-22T12:00:00Z", False),
        ("2026-11-21T12:00:00Z", True),
        ("2026-11-22T12:00:01Z", True),
        ("tomorrow", True),
        ("", True),
    ],
)
def test_only_an_end_within_a_day_counts(text: str, over: bool) -> None:
    """What says no time, or too late a one, suspends nothing."""
    assert is_over(Suspension("team-a", "u", text, "", ""), NOW) is over


async def test_namespaces_that_never_asked_are_left_alone() -> None:
    """Neither one in audit mode for good, nor one that enforces with an old annotation."""
    for broken in (Broken("audit"), Broken("enforce", **until("2026-11-21T11:00:00Z"))):
        before = len(broken.api.calls)
        await broken.glass.look()
        assert [method for method, _ in broken.api.calls[before:]] == ["GET"]
        assert broken.incidents == []
