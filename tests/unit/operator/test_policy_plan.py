import pytest

from quorate_operator.kinds import CLUSTER_SAFETY_POLICY, Key
from quorate_operator.reconcile.actions import Action, ApplyStatus, EmitEvent
from quorate_operator.reconcile.policy import plan_policy
from tests.unit.operator.scene import FLOOR_SPEC, Scene

KEY = Key(CLUSTER_SAFETY_POLICY.name, "", "floor")


def plan(scene: Scene) -> tuple[Action, ...]:
    """Plan for the floor."""
    known = scene.world.get(KEY)
    assert known is not None
    return plan_policy(KEY, known, scene.now)


def write(scene: Scene, actions: tuple[Action, ...]) -> dict[str, str]:
    """Write the status that was planned, and return its one condition."""
    (action,) = [a for a in actions if isinstance(a, ApplyStatus)]
    scene.put({**scene.documents[KEY], "status": action.status})
    (condition,) = action.status["conditions"]
    return dict(condition)


@pytest.mark.requirement("policies: status accepted, digest, message")
def test_policy_that_compiles_is_accepted_once() -> None:
    """Its digest is in the status, and a second look writes nothing."""
    scene = Scene()
    scene.floor()
    condition = write(scene, plan(scene))
    assert (condition["type"], condition["status"]) == ("Accepted", "True")
    assert scene.documents[KEY]["status"]["digest"] == scene.policy().digest
    assert plan(scene) == ()


@pytest.mark.requirement("policies: status accepted, digest, message")
def test_policy_that_does_not_compile_says_which_field() -> None:
    """It is not accepted, names the field, has no digest, and an Event tells of it."""
    scene = Scene()
    spec = FLOOR_SPEC | {"runtime": {"checks": [{"name": "secrets"}, {"name": "secrets"}]}}
    scene.floor(spec)
    actions = plan(scene)
    (event,) = [a for a in actions if isinstance(a, EmitEvent)]
    assert (event.type, event.reason) == ("Warning", "InvalidPolicy")
    condition = write(scene, actions)
    assert (condition["status"], condition["reason"]) == ("False", "InvalidPolicy")
    assert "runtime.checks" in condition["message"]
    assert scene.documents[KEY]["status"]["digest"] == ""
    assert plan(scene) == ()


def test_malformed_status_heals() -> None:
    """A policy that cannot be read for its status denies, until the status was written anew."""
    scene = Scene()
    scene.floor()
    scene.put({**scene.documents[KEY], "status": {"conditions": "what"}})
    assert write(scene, plan(scene))["status"] == "False"
    assert write(scene, plan(scene))["status"] == "True"
    assert plan(scene) == ()
