"""The escape scan, whatever the pod: what admission made is none, and one change makes it one."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate import names
from quorate.admission import escape
from tests.contract.floor.mutations import mutations
from tests.fakes.vouching import NOW
from tests.property.test_admission import JUNK, paths, replaced
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.test_escape import KEY, running, sign
from tests.unit.admission.world import good_world

Document = dict[str, Any]
SNAPSHOT = good_world().snapshot
RELEASED = PodBuilder(SNAPSHOT).released().build()
INJECTED = [
    (index, title, changed)
    for index in (0, 1)
    for title, changed in mutations(RELEASED["spec"]["initContainers"][index])
]
VOLUMES = [
    (index, *path)
    for index, volume in enumerate(RELEASED["spec"]["volumes"])
    if volume["name"].startswith(names.VOLUME_PREFIX)
    for path in paths(volume)
]
EVERYWHERE = [("spec", *path) for path in paths(running()["spec"])]


def is_escape(pod: Document) -> bool:
    """Whether the scan finds it, most leniently: it was there before we looked."""
    return escape.find(pod, SNAPSHOT, KEY, NOW, familiar=True) is not None


@pytest.mark.requirement("escape scan: a correctly injected pod is never an escape")
def test_what_admission_makes_is_none() -> None:
    """Marked or, from a release before marks, unmarked."""
    assert not is_escape(RELEASED)
    assert not is_escape(sign(copy.deepcopy(RELEASED)))
    assert escape.find(sign(copy.deepcopy(RELEASED)), SNAPSHOT, KEY, NOW) is None


@pytest.mark.requirement("escape scan: any single mutation of the injected parts is an escape")
@pytest.mark.parametrize(
    ("index", "changed"),
    [(index, changed) for index, _, changed in INJECTED],
    ids=[f"{('measure', 'sidecar')[index]}: {title}" for index, title, _ in INJECTED],
)
def test_one_change_of_an_injected_container_is_found(index: int, changed: Document) -> None:
    """Every field of both containers: other, absent, or one more."""
    pod = copy.deepcopy(RELEASED)
    pod["spec"]["initContainers"][index] = changed
    assert _found_or_malformed(pod)


@pytest.mark.requirement("escape scan: any single mutation of the injected parts is an escape")
@given(st.sampled_from(VOLUMES), st.just(...) | JUNK)
def test_one_change_of_an_injected_volume_is_found(path: tuple[Any, ...], value: Any) -> None:
    """Every node of every injected volume, replaced by anything or removed."""
    try:
        pod = replaced(RELEASED, ("spec", "volumes", *path), value)
    except (TypeError, KeyError):
        return
    before = [v for v in RELEASED["spec"]["volumes"] if v["name"].startswith(names.VOLUME_PREFIX)]
    if all(volume in pod["spec"]["volumes"] for volume in before):
        return
    assert _found_or_malformed(pod)


@given(st.sampled_from(EVERYWHERE), st.just(...) | JUNK)
def test_a_mark_hides_no_change_that_can_be_made(path: tuple[Any, ...], value: Any) -> None:
    """Images, names and debugging containers of a released pod: found, or as they were."""
    pod = running()
    try:
        pod = replaced(pod, path, value)
        same = _changeable(pod) == _changeable(running())
    except (TypeError, KeyError, AttributeError):
        return
    if not same:
        assert _found_or_malformed(pod)


def _changeable(pod: Document) -> Any:
    spec = pod["spec"]
    both = [*spec["initContainers"], *spec["containers"]]
    return [(c["name"], c["image"]) for c in both], spec.get("ephemeralContainers") or []


def _found_or_malformed(pod: Document) -> bool:
    """Found; or no pod an API server would give, which the scan takes for an escape as well."""
    try:
        return is_escape(pod)
    except Exception:
        return True
