import pytest
from prometheus_client import CollectorRegistry

from quorate.alerts import Rule
from quorate.api.v1alpha1 import SafetyIncident
from quorate.api.v1alpha1.meta import Owners, read
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.events import Events
from quorate_operator.kinds import ATTESTED_MODEL, SAFETY_INCIDENT, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.supervision import (
    MEMBER_DOWN_SECONDS,
    WATCH_STALE_SECONDS,
    member_alert,
    store_alert,
    watch_alert,
)
from quorate_operator.watch_age import SILENCE_MAX
from tests.fakes.vouching import NOW, OWNERS
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic

Document = dict[str, object]


class Scene:
    """Alerts on an API server in memory."""

    def __init__(self, api: FakeApi | None = None) -> None:
        self.api = api or FakeApi()
        self.monotonic = Monotonic()
        metrics = self.metrics = Metrics(CollectorRegistry())
        clock, holding = FixedClock(NOW), Holding()
        events = Events(self.api, holding, "op-0", clock, self.monotonic, metrics)
        self.alerts = Alerts(self.api, holding, events, clock, self.monotonic, metrics)

    @property
    def incidents(self) -> list[dict[str, dict[str, object]]]:
        """All incidents."""
        prefix = SAFETY_INCIDENT.path("team-a")
        return [d for p, d in self.api.objects.items() if p.startswith(prefix)]

    def count(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def alert(summary: str = "not renewed", name: str = "demo") -> RaiseAlert:
    """An alert about a model."""
    target = Target(Key(ATTESTED_MODEL.name, "team-a", name), "uid-1", "quorate.dev/v1alpha1")
    owners = Owners.model_validate(OWNERS)
    return RaiseAlert(Rule.CERTIFICATE_RENEWAL_LATE, target, "team-a", summary, owners)


@pytest.mark.requirement("an alert is one SafetyIncident, one Event and one metric")
async def test_alert_is_incident_event_and_metric() -> None:
    """All three, and the incident reads as the API says, with owners and a runbook."""
    scene = Scene()
    await scene.alerts.raise_alert(alert())
    (document,) = scene.incidents
    incident = read(SafetyIncident, document)
    assert (incident.spec.rule, incident.spec.severity) == ("CertificateRenewalLate", "High")
    assert incident.spec.subject.name == "demo"
    assert incident.spec.owners is not None
    assert incident.spec.runbook_url.startswith("https://")
    assert incident.status is not None
    assert incident.status.count == 1
    events = [d for p, d in scene.api.objects.items() if "/events/" in p]
    assert [event["reason"] for event in events] == ["CertificateRenewalLate"]
    labels = {"rule": "CertificateRenewalLate", "severity": "High"}
    assert scene.count("quorate_alerts_total", **labels) == 1


@pytest.mark.requirement("SafetyIncident: deduplicated")
async def test_repeats_raise_the_count_of_one_incident() -> None:
    """Not at every look; and a process that restarts finds the incident it opened."""
    scene = Scene()
    for _ in range(5):
        await scene.alerts.raise_alert(alert())
    scene.monotonic.time += REPEAT_SECONDS
    await scene.alerts.raise_alert(alert(summary="still not renewed"))
    restarted = Scene(scene.api)
    await restarted.alerts.raise_alert(alert())
    (document,) = scene.incidents
    assert document["status"]["count"] == 3
    assert document["spec"]["summary"] == "not renewed"
    await restarted.alerts.raise_alert(alert(name="other"))
    assert len(scene.incidents) == 2


async def test_settled_incident_is_left_alone() -> None:
    """Once a person wrote a resolution, the same alert opens another incident."""
    scene = Scene()
    await scene.alerts.raise_alert(alert())
    (path,) = [p for p in scene.api.objects if "safetyincidents" in p]
    settled = scene.api.objects[path]
    settled["spec"]["resolution"] = {"outcome": "Fixed", "message": "done", "time": "x"}
    scene.api.put(path, settled)
    scene.monotonic.time += REPEAT_SECONDS
    await scene.alerts.raise_alert(alert())
    assert len(scene.incidents) == 2
    assert scene.api.objects[path]["status"]["count"] == 1


async def test_alert_that_cannot_be_written_is_tried_again_at_the_next_look() -> None:
    """The metric and the log have it in any case."""
    scene = Scene()

    def fault(method: str, path: str) -> None:
        raise ApiUnavailable("away")

    scene.api.fault = fault
    await scene.alerts.raise_alert(alert())
    assert scene.incidents == []
    scene.api.fault = lambda method, path: None
    await scene.alerts.raise_alert(alert())
    assert len(scene.incidents) == 1


def test_silence_of_a_member_becomes_an_alert() -> None:
    """Of that member, by its name. Not at its restart; well before a pod's state expires."""
    silent = {"member-1": MEMBER_DOWN_SECONDS - 1, "member-3": MEMBER_DOWN_SECONDS}
    assert member_alert("member-1", silent, "ns") is None
    raised = member_alert("member-3", silent, "ns")
    assert raised is not None
    assert (raised.rule, raised.severity) == ("MemberUnavailable", "Critical")
    assert (raised.namespace, raised.subject.key.name) == ("ns", "quorate-member-3")
    assert raised.summary.startswith("member-3 does not answer the operator (nor do member-1)")


def test_a_store_that_is_broken_becomes_an_alert() -> None:
    """Of that member, in its own words, which may be long."""
    raised = store_alert("member-3", "No space left " * 1000, "ns")
    assert (raised.rule, raised.severity) == ("MemberStoreBroken", "High")
    assert (raised.namespace, raised.subject.key.name) == ("ns", "quorate-member-3")
    assert raised.summary.startswith("member-3 cannot keep its votes (No space left ")
    assert len(raised.summary) <= 1024


def test_silence_of_a_watch_becomes_an_alert() -> None:
    """Before the operator gives up and starts anew; it names the kinds."""
    assert watch_alert({"Pod": WATCH_STALE_SECONDS, "Namespace": 1.0}, "ns") is None
    raised = watch_alert({"Pod": WATCH_STALE_SECONDS + 1, "Namespace": 1.0}, "ns")
    assert raised is not None
    assert (raised.rule, raised.severity) == ("OperatorWatchStale", "Critical")
    assert "Pod (121 s)" in raised.summary
    assert "Namespace" not in raised.summary
    assert SILENCE_MAX > WATCH_STALE_SECONDS
