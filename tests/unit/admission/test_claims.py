"""Models on a persistent volume: read-only, by a claim that nobody can write through."""

from typing import Any

import pytest

from quorate.admission import validate
from quorate.verdict import Reason
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import World, good_world

Document = dict[str, Any]


def claim_world(*modes: str) -> World:
    """A model on the claim ``weights`` with these access modes."""
    world = good_world()
    world.put_model(source={"persistentVolumeClaim": {"claimName": "weights"}})
    if modes:
        metadata = {"namespace": "team-a", "name": "weights"}
        world.store.put_claim({"metadata": metadata, "spec": {"accessModes": list(modes)}})
    return world


def on_claim(read_only: bool = True) -> Any:
    """The pod's model volume is the claim."""
    claim: Document = {"claimName": "weights"} | ({"readOnly": True} if read_only else {})

    def change(pod: Document) -> None:
        pod["spec"]["volumes"][0] = {"name": "model", "persistentVolumeClaim": claim}

    return change


def reasons(world: World, change: Any) -> list[Reason]:
    pod = PodBuilder(world.snapshot).written(change).build()
    verdict = validate.may_run(pod, world.snapshot, world.now).verdict
    return [denial.reason for denial in verdict.denials]


def test_a_read_only_claim_passes() -> None:
    """A claim that is ReadOnlyMany and nothing else, mounted read-only."""
    assert reasons(claim_world("ReadOnlyMany"), on_claim()) == []


@pytest.mark.requirement("shared read-write PVCs refused for now")
@pytest.mark.parametrize(
    "modes",
    [
        ("ReadWriteMany",),
        ("ReadWriteOnce",),
        ("ReadWriteOncePod",),
        ("ReadOnlyMany", "ReadWriteMany"),
        (),
    ],
)
def test_a_claim_somebody_may_write_is_refused(modes: tuple[str, ...]) -> None:
    """Writable through another pod, or unknown: the model could change after it was measured."""
    assert reasons(claim_world(*modes), on_claim()) == [Reason.MODEL_MOUNT_WRITABLE]


def test_a_claim_mounted_read_write_is_refused() -> None:
    """The volume itself must be read-only, not only the mount."""
    found = reasons(claim_world("ReadOnlyMany"), on_claim(read_only=False))
    assert found == [Reason.MODEL_MOUNT_WRITABLE]


def test_a_claim_that_is_deleted_is_unknown() -> None:
    """A claim that was read-only and is gone may come back as anything."""
    world = claim_world("ReadOnlyMany")
    world.store.remove("PersistentVolumeClaim", ("team-a", "weights"))
    assert reasons(world, on_claim()) == [Reason.MODEL_MOUNT_WRITABLE]


def test_another_claim_is_no_model() -> None:
    """The claim must be the one the AttestedModel names."""
    world = claim_world("ReadOnlyMany")

    def other(pod: Document) -> None:
        on_claim()(pod)
        pod["spec"]["volumes"][0]["persistentVolumeClaim"] = {"claimName": "x", "readOnly": True}

    assert Reason.MODEL_NOT_MOUNTED in reasons(world, other)
