import copy

import pytest

from quorate import names
from quorate.admission import mutate
from quorate.verdict import Reason
from quorate_operator.kinds import POD, Key
from quorate_operator.reconcile.actions import Action, EmitEvent, ReleaseGate
from quorate_operator.reconcile.pod import SeenPod, plan_pod
from tests.unit.admission.pod_builder import bare_pod
from tests.unit.operator.scene import FLOOR_SPEC, TEAM, Scene, verified_scene

KEY = Key(POD.name, TEAM, "chat-5d4c-x1")


def gated_pod(scene: Scene) -> dict[str, object]:
    """A pod as it comes out of admission."""
    pod = bare_pod()
    pod = copy.deepcopy(mutate.apply(pod, mutate.complete(pod, scene.world.store.snapshot())))
    return {**pod, "kind": POD.name}


def plan(scene: Scene) -> tuple[Action, ...]:
    """Plan for the pod, now."""
    pod = scene.world.pods.get(KEY)
    assert pod is not None
    seen = SeenPod(KEY, pod, scene.world.enforces(TEAM))
    return plan_pod(seen, scene.world.store.snapshot(), scene.now)


@pytest.mark.requirement("operator: releases the gate of pods that may run")
def test_gate_of_a_pod_that_may_run_is_released() -> None:
    """The action names the incarnation, the version that was judged, and where our gate is."""
    scene = verified_scene()
    pod = gated_pod(scene)
    pod["spec"]["schedulingGates"].insert(0, {"name": "other/gate"})  # type: ignore[index]
    scene.put(pod)
    (action,) = plan(scene)
    assert isinstance(action, ReleaseGate)
    assert action.target.uid == pod["metadata"]["uid"]  # type: ignore[index]
    assert action.resource_version == scene.documents[KEY]["metadata"]["resourceVersion"]
    assert action.gate_index == 1


@pytest.mark.requirement("operator: a pod that may not run stays gated, with an Event")
def test_pod_without_a_certificate_is_held_and_told_why() -> None:
    """The Event carries the denial's reason, the policy and the fix."""
    scene = verified_scene()
    scene.put(gated_pod(scene))
    scene.floor(name="stricter")
    (action,) = plan(scene)
    assert isinstance(action, EmitEvent)
    assert (action.type, action.reason) == ("Warning", Reason.CERTIFICATE_MISSING)
    assert "stricter" in action.note
    assert "kubectl quorate explain" in action.note


def test_pod_with_an_expired_certificate_is_held() -> None:
    """What was certified yesterday releases nothing today."""
    scene = verified_scene()
    scene.put(gated_pod(scene))
    (certificate,) = scene.see().view.attached.values()
    scene.now = certificate.certificate.statement.expires_at
    (action,) = plan(scene)
    assert isinstance(action, EmitEvent)
    assert action.reason == Reason.CERTIFICATE_EXPIRED


def test_pod_that_was_tampered_with_is_held() -> None:
    """A gated pod whose injected sidecar was changed is not released."""
    scene = verified_scene()
    pod = gated_pod(scene)
    pod["spec"]["initContainers"][1]["args"] = ["sleep"]  # type: ignore[index]
    scene.put(pod)
    (action,) = plan(scene)
    assert isinstance(action, EmitEvent)
    assert action.reason == Reason.NOT_INJECTED


@pytest.mark.parametrize("case", ["warn", "unlabelled", "ungated", "terminating", "finished"])
def test_pods_that_are_not_ours_to_release_are_left_alone(case: str) -> None:
    """Only gated pods that live in an enforced namespace are looked at."""
    scene = verified_scene()
    pod = gated_pod(scene)
    if case in ("warn", "unlabelled"):
        scene.label("warn" if case == "warn" else None)
    elif case == "ungated":
        pod["spec"]["schedulingGates"] = [{"name": "other/gate"}]  # type: ignore[index]
    elif case == "terminating":
        pod["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"  # type: ignore[index]
    else:
        pod["status"] = {"phase": "Failed"}
    scene.put(pod)
    assert plan(scene) == ()


def test_exempt_pod_is_released() -> None:
    """A pod of exempt images needs no model, even if it says that it serves one."""
    scene = verified_scene()
    pod = bare_pod() | {"kind": POD.name}
    digest = f"sha256:{'e' * 64}"
    pod["spec"]["containers"] = [{"name": "batch", "image": f"example.test/batch@{digest}"}]
    pod["spec"]["volumes"] = []
    pod["spec"]["schedulingGates"] = [{"name": names.SCHEDULING_GATE}]
    scene.floor(FLOOR_SPEC | {"exemptImages": [{"digest": digest, "reason": "batch"}]})
    scene.put(pod)
    (action,) = plan(scene)
    assert isinstance(action, ReleaseGate)
