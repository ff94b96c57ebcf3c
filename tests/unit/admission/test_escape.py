"""Pods that run although admission never let them: what an attacker would try, case by case."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from quorate.admission import escape, released
from quorate.admission.escape import MIRROR_ANNOTATION, Escape
from quorate.alerts import Rule
from tests.fakes.vouching import EXEMPT_DIGEST, NOW, policy
from tests.unit.admission.pod_builder import (
    EXEMPT_IMAGE,
    Document,
    PodBuilder,
    bare_pod,
    exempt_pod,
)
from tests.unit.admission.world import FLOOR, World, good_world

KEY = b"k" * 32
OTHER_UID = "99999999-2222-3333-4444-555555555555"
WORLD = good_world()


def sign(pod: Document, key: bytes = KEY) -> Document:
    """Mark a pod as the operator does."""
    shown = released.mark(key, pod["metadata"]["uid"], released.changeable(pod))
    pod["metadata"].setdefault("annotations", {})[names.RELEASED_ANNOTATION] = shown
    return pod


def running() -> Document:
    """A pod that admission made, the operator released, and that has a node."""
    pod = sign(PodBuilder(WORLD.snapshot).released().build())
    pod["spec"]["nodeName"] = "node-1"
    pod["status"] = {"phase": "Running"}
    return pod


def unreleased() -> Document:
    """The same without a mark."""
    pod = running()
    del pod["metadata"]["annotations"]
    return pod


def bare() -> Document:
    """A pod that no part of us has touched."""
    return bare_pod() | {"status": {"phase": "Running"}}


def find(pod: Document, world: World = WORLD, *, familiar: bool = False) -> Escape | None:
    """What the scan says of it."""
    return escape.find(pod, world.snapshot, KEY, NOW, familiar=familiar)


def at(delta: timedelta) -> str:
    """A time as the API server writes it."""
    return (NOW + delta).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.requirement("escape scan: what admission let run is no escape")
def test_what_was_released_and_not_changed_is_none() -> None:
    """Whatever the policies have become since, and although neither model nor policy is there."""
    assert find(running()) is None
    world = good_world()
    world.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"servers": []}}))
    assert find(running(), world) is None
    world.store.remove("AttestedModel", ("team-a", "demo"))
    assert find(running(), world) is None


def _label(pod: Document, name: str, value: str) -> None:
    pod["metadata"]["labels"][name] = value


def _ephemeral(pod: Document) -> None:
    pod["spec"]["ephemeralContainers"] = [{"name": "debug", "image": EXEMPT_IMAGE}]


def _image(pod: Document, field: str, index: int) -> None:
    pod["spec"][field][index]["image"] = f"registry.example.test/x@sha256:{'9' * 64}"


def _resources(pod: Document, index: int) -> None:
    pod["spec"]["initContainers"][index]["resources"]["limits"]["cpu"] = "1m"


CHANGED_BY_HAND: dict[str, Callable[[Document], Any]] = {
    "server image": lambda pod: _image(pod, "containers", 0),
    "measure image": lambda pod: _image(pod, "initContainers", 0),
    "sidecar image": lambda pod: _image(pod, "initContainers", 1),
    "sidecar starved": lambda pod: _resources(pod, 1),
    "debugging container": _ephemeral,
    "another model": lambda pod: _label(pod, names.MODEL_LABEL, "other"),
    "no model": lambda pod: pod["metadata"]["labels"].pop(names.MODEL_LABEL),
}


@pytest.mark.requirement("escape scan: changed by hand → found")
@pytest.mark.parametrize("change", CHANGED_BY_HAND.values(), ids=CHANGED_BY_HAND)
def test_a_released_pod_that_was_changed_is_found(change: Callable[[Document], Any]) -> None:
    """Everything an UPDATE or a subresource can change and validate would refuse."""
    pod = running()
    change(pod)
    found = find(pod)
    assert found is not None
    assert (found.rule, found.deletable) == (Rule.POD_ESCAPED, True)


def test_a_change_that_admission_accepts_is_none() -> None:
    """A label no policy looks at, tolerations, a user's resources, what the node gives."""
    for change in (
        lambda pod: _label(pod, "team", "x"),
        lambda pod: _label(pod, "topology.kubernetes.io/zone", "z"),
        lambda pod: pod["spec"].update(tolerations=[]),
        lambda pod: pod["spec"]["containers"][0].update(resources={}),
        lambda pod: pod["metadata"]["annotations"].update({"example.com/a": "b"}),
    ):
        pod = running()
        change(pod)
        assert find(pod) is None


UNMARKED: dict[str, Callable[[], Document]] = {
    "never injected": bare,
    "sidecar missing": lambda: _without(unreleased(), "initContainers", 1),
    "measure missing": lambda: _without(unreleased(), "initContainers", 0),
    "injected, never gated": unreleased,
    "no containers we know": lambda: bare() | {"metadata": _plain_metadata()},
}


def _without(pod: Document, field: str, index: int) -> Document:
    del pod["spec"][field][index]
    return pod


def _plain_metadata() -> Document:
    return {"name": "shell", "namespace": "team-a", "uid": OTHER_UID}


@pytest.mark.requirement("escape scan: gate-less, sidecar-less, differently injected → found")
@pytest.mark.parametrize("pod", UNMARKED.values(), ids=UNMARKED)
def test_what_never_met_admission_is_found(pod: Callable[[], Document]) -> None:
    """Made while webhook and floor were away, or before the namespace enforced."""
    found = find(pod())
    assert found is not None
    assert found.deletable
    assert found.why


@pytest.mark.requirement("escape scan: a mark cannot be made, copied or moved")
def test_forged_marks_are_none() -> None:
    """Another key, another pod's, a cut one, another type: the pod counts as never released."""
    genuine = running()["metadata"]["annotations"][names.RELEASED_ANNOTATION]
    forged = [
        sign(unreleased(), b"x" * 32)["metadata"]["annotations"][names.RELEASED_ANNOTATION],
        genuine[:-1],
        genuine + "0",
        genuine.upper(),
        "",
        "é" * 129,
        7,
    ]
    for value in forged:
        pod = unreleased()
        pod["metadata"]["annotations"] = {names.RELEASED_ANNOTATION: value}
        assert find(pod) is not None, value
    copied = running()
    copied["metadata"]["uid"] = OTHER_UID
    assert find(copied) is not None


def test_a_pod_that_was_there_first_must_be_what_admission_would_take() -> None:
    """A release before marks let it run: it is judged by its shape, and by nothing else."""
    assert find(unreleased(), familiar=True) is None
    assert find(bare(), familiar=True) is not None
    changed = unreleased()
    _image(changed, "containers", 0)
    assert find(changed, familiar=True) is not None


def test_what_the_release_before_injected_is_none() -> None:
    """During an upgrade pods of both are about."""
    snapshot = WORLD.snapshot
    other = good_world(drainSeconds=7, image=f"registry.example.test/s@sha256:{'6' * 64}").snapshot
    old = PodBuilder(other).released().build()
    both = copy.copy(snapshot)
    object.__setattr__(both, "previous", (other.injection,))
    assert escape.find(old, both, KEY, NOW, familiar=True) is None
    assert escape.find(old, snapshot, KEY, NOW, familiar=True) is not None


@pytest.mark.requirement("escape scan: an exempt pod is no escape")
def test_exempt_pods_are_none() -> None:
    """All images on every platform policy's list; unless it poses as a model pod."""
    assert find(exempt_pod()) is None
    posing = exempt_pod()
    source = {"serviceAccountToken": {"audience": "quorate", "path": "t"}}
    posing["spec"]["volumes"] = [{"name": "t", "projected": {"sources": [source]}}]
    assert find(posing) is not None
    mixed = exempt_pod()
    mixed["spec"]["containers"].append({"name": "x", "image": "registry.example.test/x:1"})
    assert find(mixed) is not None


def test_what_does_not_run_is_none() -> None:
    """Gated, finished, or about to end."""
    gated = PodBuilder(WORLD.snapshot).build()
    assert find(gated) is None
    for phase in ("Succeeded", "Failed"):
        assert find(bare() | {"status": {"phase": phase}}) is None
    ending = bare()
    ending["metadata"]["deletionTimestamp"] = at(timedelta(seconds=30))
    assert find(ending) is None


@pytest.mark.parametrize("time", [at(timedelta(days=3650)), "soon", "9999-99-99T00:00:00Z"])
def test_a_pod_that_takes_years_to_end_runs(time: str) -> None:
    """Deleting one's own pod with a long grace period is no way to be left alone."""
    ending = bare()
    ending["metadata"]["deletionTimestamp"] = time
    assert find(ending) is not None


@pytest.mark.requirement("static pods: incident, no deletion")
def test_static_pods_are_found_and_left() -> None:
    """The mirror names its node; an exempt one is none; a mark does not hide it."""
    mirror = bare()
    mirror["metadata"]["annotations"] = {MIRROR_ANNOTATION: "0123"}
    mirror["spec"]["nodeName"] = "node-7"
    found = find(mirror)
    assert found is not None
    assert (found.rule, found.deletable) == (Rule.STATIC_POD_FOUND, False)
    assert "node-7" in found.why
    assert find(sign(mirror)) == found
    exempt = exempt_pod()
    exempt["metadata"]["annotations"] = {MIRROR_ANNOTATION: "0123"}
    assert find(exempt) is None


@pytest.mark.requirement("escape scan: without the platform's policies nothing is deleted")
def test_without_readable_policies_it_is_found_and_left() -> None:
    """Nobody then knows which pods are exempt. A tenant's broken policy does not do that."""
    empty = World()
    found = find(bare(), empty)
    assert found is not None
    assert not found.deletable
    assert "ClusterSafetyPolicy" in found.why
    broken = good_world()
    broken.store.break_policy("ClusterSafetyPolicy", ("", "floor-2"), "no")
    found = find(bare(), broken)
    assert found is not None
    assert not found.deletable
    assert "ClusterSafetyPolicy/floor-2" in found.why
    tenants = good_world()
    tenants.store.break_policy("SafetyPolicy", ("team-a", "mine"), "no")
    found = find(bare(), tenants)
    assert found is not None
    assert found.deletable


def test_labels_that_no_policy_selects_do_not_hide_a_pod() -> None:
    """Nor make it exempt: a tenant chooses its labels."""
    world = World()
    world.put_policy(policy(FLOOR, selector={"matchLabels": {"app": "chat"}}))
    pod = exempt_pod()
    assert EXEMPT_DIGEST in pod["spec"]["containers"][0]["image"]
    assert find(pod, world) is None
    pod["metadata"]["labels"] = {"app": "other"}
    found = find(pod, world)
    assert found is not None
    assert found.deletable
