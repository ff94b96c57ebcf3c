"""Policies without number or measure: they cost their own namespace, and nobody else."""

from typing import Any

import pytest

from quorate import limits
from quorate.admission import selection, validate
from quorate.admission.snapshot import BrokenPolicy
from quorate.verdict import Reason
from tests.fakes.vouching import policy
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import World, good_world

KIND = "SafetyPolicy"


def own(name: str, namespace: str = "team-b", **selector: Any) -> dict[str, Any]:
    """A tenant's policy."""
    return policy({}, name=name, namespace=namespace, selector=selector)


def reasons(world: World, namespace: str) -> set[Reason]:
    """Why a good pod is refused there."""
    pod = PodBuilder(world.snapshot).build()
    pod["metadata"]["namespace"] = namespace
    verdict = validate.create(pod, world.snapshot).verdict
    return {denial.reason for denial in verdict.denials}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Room for three policies in a namespace."""
    monkeypatch.setattr(limits, "POLICIES_PER_NAMESPACE", 3)
    return good_world()


@pytest.mark.requirement("all caches bounded")
def test_one_more_than_there_is_room_for_denies_its_namespace_alone(world: World) -> None:
    """Leaving one out would loosen; so the namespace is denied until all that are left fit."""
    store = world.store
    for name in ("a", "b", "c"):
        assert not isinstance(store.put_policy(own(name)), BrokenPolicy)
    for name in ("d", "e"):
        assert isinstance(store.put_policy(own(name)), BrokenPolicy)
    assert store.keys(KIND) == {("team-b", name) for name in "abcde"}
    assert reasons(world, "team-b") == {Reason.INVALID_POLICY}
    assert reasons(world, "team-a") == set()
    store.put_policy(own("a", matchLabels={"app": "chat"}))
    store.remove(KIND, ("team-b", "d"))
    store.remove(KIND, ("team-b", "a"))
    assert reasons(world, "team-b") == {Reason.INVALID_POLICY}
    assert not isinstance(store.put_policy(own("e")), BrokenPolicy)
    assert reasons(world, "team-b") == {Reason.MODEL_NOT_FOUND}


def test_so_does_one_that_cannot_even_be_read(world: World) -> None:
    """What is broken takes room too, and no more of it."""
    for name in "abcdefgh":
        world.store.break_policy(KIND, ("team-b", name), "cannot be taken in")
    assert len(world.snapshot.policies.broken) == 4
    assert reasons(world, "team-b") == {Reason.INVALID_POLICY}
    for name in "abcdefgh":
        world.store.remove(KIND, ("team-b", name))
    assert not world.snapshot.policies.broken
    assert reasons(world, "team-b") == {Reason.MODEL_NOT_FOUND}


def test_large_ones_fill_the_room_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that grows beyond the room is left out as well, and counts again when it shrinks."""
    world = good_world()
    small = own("a")
    monkeypatch.setattr(limits, "POLICY_BYTES_PER_NAMESPACE", 2 * len(str(small["spec"])) + 20)
    store = world.store
    assert not isinstance(store.put_policy(small), BrokenPolicy)
    large = own("b", matchLabels={letter * 60: letter * 60 for letter in "abcdefgh"})
    assert isinstance(store.put_policy(large), BrokenPolicy)
    assert reasons(world, "team-b") == {Reason.INVALID_POLICY}
    assert not isinstance(store.put_policy(own("b")), BrokenPolicy)
    assert isinstance(store.put_policy(large), BrokenPolicy)
    store.remove(KIND, ("team-b", "b"))
    assert reasons(world, "team-b") == {Reason.MODEL_NOT_FOUND}


def test_what_others_select_by_is_not_looked_at() -> None:
    """Labels that policies of another namespace name are no part of what is kept for this one; and
    nothing is kept for a namespace that names more than anybody could."""
    found = [
        own(f"p{n}", matchLabels={f"label-{n}-{m}": "x" for m in range(30)}) for n in range(20)
    ]
    world = good_world()
    for document in found:
        world.put_policy(document)
    selections = world.snapshot.policies.selections
    assert selections.of("team-a", {"app": "chat"}) is selections.of("team-a", {"app": "chat"})
    assert selections.of("team-a", {"label-0-0": "x"}) is selections.of("team-a", {"app": "chat"})
    assert selection.KEYS_MAX < 600
    assert selections.of("team-b", {}) is not selections.of("team-b", {})
