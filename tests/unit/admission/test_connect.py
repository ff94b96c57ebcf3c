"""Exec, attach and port-forward: not into a model pod, and never into what was injected."""

from datetime import timedelta
from typing import Any

import pytest

from quorate import limits, names
from quorate.admission import connect
from tests.fakes.exceptions import approvers, exception
from tests.fakes.vouching import NOW, policy, signer
from tests.unit.admission.pod_builder import PodBuilder, exempt_pod
from tests.unit.admission.world import FLOOR, World, good_world

WORLD = good_world()
MODEL_POD = PodBuilder(WORLD.snapshot).released().build()
REQUIREMENT = "exec, attach, port-forward into a model pod are refused unless an exception says so"


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("how", connect.SUBRESOURCES)
def test_a_model_pod_is_not_connected_to(how: str) -> None:
    """The refusal names policy and owner, and what to do instead."""
    text = connect.connect(MODEL_POD, how, "server", WORLD.snapshot, NOW).verdict.text()
    for part in (
        "ConnectRefused",
        connect.SUBRESOURCES[how],
        "ClusterSafetyPolicy/floor",
        "kubectl logs",
        "kubectl quorate explain pod/",
        "SafetyException",
    ):
        assert part in text


@pytest.mark.parametrize("container", [names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER])
def test_the_injected_containers_are_not_connected_to(container: str) -> None:
    """They hold the pod's key: the refusal sends nobody to ask for an exception."""
    text = connect.connect(MODEL_POD, "exec", container, WORLD.snapshot, NOW).verdict.text()
    assert "ConnectRefused" in text
    assert "SafetyException" not in text


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("how", connect.SUBRESOURCES)
def test_an_exempt_pod_is(how: str) -> None:
    """Nothing in it is judged, so nothing in it is reached around a judge."""
    assert connect.connect(exempt_pod(), how, "", WORLD.snapshot, NOW).verdict.allowed


def test_a_pod_that_no_policy_selects_is_not() -> None:
    """Not exempt is enough: a pod from before the namespace opted in may serve a model."""
    snapshot = type(WORLD)().snapshot
    assert not connect.connect(MODEL_POD, "exec", "", snapshot, NOW).verdict.allowed


CHIEF = signer()


def world_with(*exceptions: dict[str, Any]) -> World:
    """A world whose floor names an approver, and these exceptions."""
    world = good_world()
    world.put_policy(policy(FLOOR | {"exceptions": approvers(CHIEF)}))
    world.put_model()
    for document in exceptions:
        world.store.put_exception(document)
    return world


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("how", connect.SUBRESOURCES)
def test_an_approved_exception_lets_in_until_it_ends(how: str) -> None:
    """With a warning; not into what was injected, and not after its end."""
    snapshot = world_with(exception("Connect", CHIEF)).snapshot
    found = connect.connect(MODEL_POD, how, "server", snapshot, NOW)
    assert found.verdict.allowed
    assert "SafetyException" in found.warnings[0]
    sidecar = connect.connect(MODEL_POD, how, names.SIDECAR_CONTAINER, snapshot, NOW)
    assert not sidecar.verdict.allowed
    late = NOW + timedelta(days=1)
    assert not connect.connect(MODEL_POD, how, "server", snapshot, late).verdict.allowed


@pytest.mark.parametrize(
    "document",
    [
        exception("Connect"),
        exception("Connect", signer()),
        exception("Gate/red-team", CHIEF),
        exception("Connect", CHIEF, namespace="team-a"),
        exception("Connect", CHIEF, incident=""),
        exception("Connect", CHIEF, workload={"model": "other"}),
        exception("Connect", CHIEF, cluster="cluster-2"),
        exception("Connect", CHIEF) | {"spec": {}},
    ],
)
def test_anything_less_does_not(document: dict[str, Any]) -> None:
    """Not approved, for something else, elsewhere, or before its incident is open."""
    snapshot = world_with(document).snapshot
    assert not connect.connect(MODEL_POD, "exec", "server", snapshot, NOW).verdict.allowed


def test_every_floor_must_be_lifted() -> None:
    """Another ClusterSafetyPolicy that selects the pod still refuses, and is named alone."""
    world = world_with(exception("Connect", CHIEF))
    world.put_policy(policy(FLOOR, name="second"))
    verdict = connect.connect(MODEL_POD, "exec", "server", world.snapshot, NOW).verdict
    assert [denial.policy for denial in verdict.denials] == ["ClusterSafetyPolicy/second"]


def test_what_is_deleted_lifts_nothing() -> None:
    """And a workload has room for so many, the first by name."""
    world = world_with(exception("Connect", CHIEF))
    assert world.store.keys("SafetyException") == {(names.NAMESPACE, "late-gate")}
    world.store.remove("SafetyException", (names.NAMESPACE, "late-gate"))
    assert world.snapshot.exceptions == {}
    for number in range(limits.EXCEPTIONS_PER_WORKLOAD + 1):
        world.store.put_exception(exception("Connect", CHIEF, name=f"e-{number:02}"))
    (found,) = world.snapshot.exceptions.values()
    assert [e.metadata.name for e in found][-1] == f"e-{limits.EXCEPTIONS_PER_WORKLOAD - 1:02}"
