"""Events, incidents and the Lease at a real API server."""

import time

import pytest
from prometheus_client import CollectorRegistry

from quorate.alerts import Rule
from quorate_io.clock import SystemClock
from quorate_operator.alerts import REPEAT_SECONDS, Alerts
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.events import QUIET_SECONDS, Events
from quorate_operator.kinds import EVENT, LEASE, POD, SAFETY_INCIDENT, Key
from quorate_operator.lease import Lease, LeaseLost
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import EmitEvent, RaiseAlert, Target
from tests.contract.operator.control_plane import ControlPlane
from tests.unit.operator.fake_api import Holding, Monotonic

pytestmark = [pytest.mark.cluster]


def events(api: ApiServer, monotonic: Monotonic) -> Events:
    """Events at the API server."""
    metrics = Metrics(CollectorRegistry())
    return Events(api, Holding(), "op-0", SystemClock(), monotonic, metrics)


@pytest.mark.requirement("C8: Events events.k8s.io/v1")
async def test_event_is_accepted_and_shown_and_repeated(
    api: ApiServer, plane: ControlPlane, namespace: str
) -> None:
    """kubectl shows it for its object; a repeat, also by another process, is a series."""
    monotonic = Monotonic()
    target = Target(Key(POD.name, namespace, "chat"), "11111111-2222-3333-4444-555555555555", "v1")
    event = EmitEvent(target, "Warning", "GateFailed", "the result is FAILED", "Release")
    first = events(api, monotonic)
    await first.emit(event)
    await events(api, monotonic).emit(event)
    monotonic.time += QUIET_SECONDS
    await first.emit(event)
    shown = plane.kubectl("-n", namespace, "events", "--for", "pod/chat")
    assert "GateFailed" in shown
    assert "the result is FAILED" in shown
    (found,) = [item async for item in api.list(EVENT, namespace)]
    assert found["series"]["count"] == 2
    assert found["reportingInstance"] == "op-0"


@pytest.mark.requirement("an alert is one SafetyIncident, one Event and one metric")
async def test_alert_opens_an_incident_once(api: ApiServer, namespace: str) -> None:
    """The CRD takes it; repeats count, and a settled one is followed by another."""
    monotonic = Monotonic()
    alerts = Alerts(
        api,
        Holding(),
        events(api, monotonic),
        SystemClock(),
        monotonic,
        Metrics(CollectorRegistry()),
    )
    subject = Target(Key("Service", namespace, "quorate-member"), "", "v1")
    alert = RaiseAlert(Rule.MEMBER_UNAVAILABLE, subject, namespace, "it is silent")
    for _ in range(3):
        await alerts.raise_alert(alert)
        monotonic.time += REPEAT_SECONDS
    (incident,) = [item async for item in api.list(SAFETY_INCIDENT, namespace)]
    assert incident["status"]["count"] == 3
    assert incident["status"]["firstSeen"] <= incident["status"]["lastSeen"]
    assert incident["spec"]["severity"] == "Critical"
    resolution = {"outcome": "Fixed", "message": "done", "time": "2026-11-21T12:00:00Z"}
    path = SAFETY_INCIDENT.path(namespace, incident["metadata"]["name"])
    await api.merge(path, {"spec": {"resolution": resolution}})
    await alerts.raise_alert(alert)
    incidents = [item async for item in api.list(SAFETY_INCIDENT, namespace)]
    assert len(incidents) == 2
    (opened,) = [i for i in incidents if "resolution" not in i["spec"]]
    assert opened["status"]["count"] == 1


@pytest.mark.requirement("operator: works under an own Lease")
async def test_lease_is_held_by_one(api: ApiServer, namespace: str) -> None:
    """Taken, kept, refused to a second, handed over; a lost one is noticed."""
    key = Key(LEASE.name, namespace, "quorate-operator")
    first = Lease(api, key, "a", SystemClock(), time.monotonic)
    second = Lease(api, key, "b", SystemClock(), time.monotonic)
    await first.acquire()
    assert not await second._take()
    found = await api.get(LEASE.path(namespace, key.name))
    assert found["spec"]["holderIdentity"] == "a"
    assert await first._take()
    await first.release()
    assert await second._take()
    spec = (await api.get(LEASE.path(namespace, key.name)))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 2)
    thief = Monotonic()
    thief.time += 10_000.0
    stolen = Lease(api, key, "c", SystemClock(), thief)
    assert not await stolen._take()
    thief.time += 10_000.0
    assert await stolen._take()
    with pytest.raises(LeaseLost):
        await second.keep()
