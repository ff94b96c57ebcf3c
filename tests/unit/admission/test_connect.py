"""Exec, attach and port-forward: not into a model pod, and never into what was injected."""

import pytest

from quorate import names
from quorate.admission import connect
from tests.unit.admission.pod_builder import PodBuilder, exempt_pod
from tests.unit.admission.world import good_world

WORLD = good_world()
MODEL_POD = PodBuilder(WORLD.snapshot).released().build()
REQUIREMENT = "exec, attach, port-forward into a model pod are refused unless an exception says so"


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("how", connect.SUBRESOURCES)
def test_a_model_pod_is_not_connected_to(how: str) -> None:
    """The refusal names policy and owner, and what to do instead."""
    text = connect.connect(MODEL_POD, how, "server", WORLD.snapshot).verdict.text()
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
    text = connect.connect(MODEL_POD, "exec", container, WORLD.snapshot).verdict.text()
    assert "ConnectRefused" in text
    assert "SafetyException" not in text


@pytest.mark.requirement(REQUIREMENT)
@pytest.mark.parametrize("how", connect.SUBRESOURCES)
def test_an_exempt_pod_is(how: str) -> None:
    """Nothing in it is judged, so nothing in it is reached around a judge."""
    assert connect.connect(exempt_pod(), how, "", WORLD.snapshot).verdict.allowed


def test_a_pod_that_no_policy_selects_is_not() -> None:
    """Not exempt is enough: a pod from before the namespace opted in may serve a model."""
    snapshot = type(WORLD)().snapshot
    assert not connect.connect(MODEL_POD, "exec", "", snapshot).verdict.allowed
