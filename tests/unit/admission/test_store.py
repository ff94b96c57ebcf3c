"""The store: objects come and go, signatures are verified once, bounds hold."""

from typing import Any

import pytest

from quorate import certificate, limits
from quorate.admission import validate
from quorate.admission.snapshot import BrokenPolicy
from quorate.errors import LimitExceeded
from quorate.verdict import Reason
from tests.fakes.vouching import attested_model, policy
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FILES, FLOOR, World, good_world


@pytest.mark.requirement("signatures are checked when an object enters the cache, never per review")
def test_signatures_are_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an object entered, no decision verifies a signature."""
    world = good_world()
    pod = PodBuilder(world.snapshot).build()

    def refuse(*args: Any) -> Any:
        raise AssertionError("a signature was verified on the way of a review")

    monkeypatch.setattr(certificate, "verify", refuse)
    monkeypatch.setattr("quorate.keys.PublicKey.verify", refuse)
    assert validate.create(pod, world.snapshot).verdict.allowed
    assert validate.may_run(pod, world.snapshot, world.now).verdict.allowed


def test_a_malformed_model_is_no_model() -> None:
    """A model that was fine and cannot be read any more is gone."""
    world = good_world()
    document = attested_model(FILES)
    document["spec"]["surprise"] = 1
    assert world.store.put_model(document, world.now) is None
    assert world.snapshot.models == {}


def test_a_policy_that_breaks_takes_the_place_of_the_good_one() -> None:
    """The last good version does not linger."""
    world = good_world()
    broken = policy(FLOOR)
    broken["spec"]["runtime"] = {"upstream": {"port": 80}}
    result = world.store.put_policy(broken)
    assert isinstance(result, BrokenPolicy)
    assert world.snapshot.policies.compiled == ()
    assert world.snapshot.policies.broken == (result,)


def test_the_snapshot_is_remade_only_when_policies_change() -> None:
    """Model and claim updates and repeated policies keep the selections worked out so far."""
    world = good_world()
    before = world.snapshot
    world.put_policy(policy(FLOOR))
    world.put_model()
    world.store.put_claim({"metadata": {"namespace": "a", "name": "b"}, "spec": {}})
    assert world.snapshot is before
    assert ("a", "b") in before.claims
    world.put_policy(policy(FLOOR, name="second"))
    assert world.snapshot is not before
    assert len(world.snapshot.policies.compiled) == 2


def test_what_is_removed_is_gone() -> None:
    """Of every kind; removing what is not there does nothing."""
    world = good_world()
    for kind in ("AttestedModel", "ClusterSafetyPolicy", "PersistentVolumeClaim", "SafetyPolicy"):
        for key in [*world.store.keys(kind), ("x", "y")]:
            world.store.remove(kind, key)
        assert world.store.keys(kind) == set()
    assert world.snapshot.models == {}
    assert world.snapshot.policies.compiled == ()


def test_policies_of_both_kinds_share_no_names() -> None:
    """A tenant's policy cannot take the place of a platform policy of the same name."""
    world = good_world()
    world.put_policy(policy({}, name="floor", namespace="team-a"))
    assert len(world.snapshot.policies.compiled) == 2
    world.store.remove("SafetyPolicy", ("team-a", "floor"))
    assert [p.is_cluster for p in world.snapshot.policies.compiled] == [True]


def test_bounds_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """One model or claim more than a cluster may have stays unknown, and so denied."""
    monkeypatch.setattr(limits, "MODELS_PER_CLUSTER", 1)
    monkeypatch.setattr(limits, "PODS_PER_CLUSTER", 1)
    world = good_world()
    with pytest.raises(LimitExceeded):
        world.store.put_model(attested_model(FILES, name="second"), world.now)
    world.put_model()
    for name in ("a", "b"):
        world.store.put_claim({"metadata": {"namespace": "n", "name": name}})
    assert world.store.keys("PersistentVolumeClaim") == {("n", "a")}


def test_a_second_namespace_is_another_model() -> None:
    """Models are known by namespace and name."""
    world: World = good_world()
    world.store.put_model(attested_model(FILES, namespace="team-b"), world.now)
    pod = PodBuilder(world.snapshot).build()
    pod["metadata"]["namespace"] = "team-b"
    verdict = validate.may_run(pod, world.snapshot, world.now).verdict
    assert [denial.reason for denial in verdict.denials] == [Reason.CERTIFICATE_MISSING]
