from datetime import timedelta
from typing import Any

import pytest

from quorate.consensus.thresholds import PRESETS
from quorate.limits import MIB
from quorate_io.member_api import (
    BATCH_BYTES,
    CERTIFICATE_BYTES,
    CERTIFICATES_FIELD,
    CERTIFICATES_MAX,
    ObservedBatch,
    encode,
    relayed_certificates,
)
from quorate_operator.kinds import ATTESTED_MODEL, Key
from quorate_operator.reconcile import relay
from quorate_operator.reconcile.relay import plan_changes, plan_session
from quorate_operator.relayed import with_certificates, without_certificates
from tests.fakes import vouching
from tests.unit.operator.scene import MODEL, TEAM, Scene, verified_scene
from tests.unit.operator.test_world import pod


def whole(scene: Scene) -> list[ObservedBatch]:
    """A session's batches."""
    return [action.batch for action in plan_session(scene.world, "s")]


def big_model(name: str, size: int) -> dict[str, Any]:
    """A model with so much evidence."""
    document = vouching.attested_model(vouching.model_files(), name=name)
    document["spec"]["evidence"] = [{"name": "e", "envelope": "{" + "x" * size}]
    return document


@pytest.mark.requirement("relay: full resync in batches of bounded size")
def test_session_holds_everything_once_in_numbered_batches() -> None:
    """Only the first resets, only the last completes, and each stays within what a member reads."""
    scene = verified_scene()
    for index in range(6):
        scene.put(big_model(f"big-{index}", MIB // 2))
    for index in range(3):
        scene.put(pod(f"p{index}"))
    batches = whole(scene)
    assert len(batches) > 2
    assert [b.sequence for b in batches] == list(range(1, len(batches) + 1))
    assert [b.reset for b in batches] == [True] + [False] * (len(batches) - 1)
    assert [b.complete for b in batches] == [False] * (len(batches) - 1) + [True]
    assert all(len(encode(b)) < BATCH_BYTES // 2 for b in batches)
    models = [m["metadata"]["name"] for b in batches for m in b.models]
    assert sorted(models) == ["big-0", "big-1", "big-2", "big-3", "big-4", "big-5", "demo"]
    assert [p["metadata"]["name"] for b in batches for p in b.policies] == ["floor"]
    assert {p.uid for b in batches for p in b.pods} == {"uid-p0", "uid-p1", "uid-p2"}


def test_empty_cluster_is_told_as_well() -> None:
    """Nothing at all is a complete picture too."""
    (batch,) = whole(Scene())
    assert (batch.reset, batch.complete, batch.models) == (True, True, ())


def test_objects_are_relayed_without_status_and_foreign_metadata() -> None:
    """A member verifies evidence; what others wrote beside it is none of its business."""
    scene = verified_scene()
    document = {**scene.documents[MODEL]}
    document["metadata"] = document["metadata"] | {"annotations": {"x": "y"}, "generation": 1}
    scene.put(document)
    (batch,) = whole(scene)
    (model,) = batch.models
    assert "status" not in model
    assert set(model["metadata"]) == {"name", "namespace", "uid", "generation"}


@pytest.mark.requirement("relay: incremental after the resync")
def test_changes_go_out_once_and_an_empty_batch_is_a_heartbeat() -> None:
    """Put, changed and removed objects are told; what was told is not told again."""
    scene = verified_scene()
    list(plan_session(scene.world, "s"))
    scene.pending.clear()
    scene.model(version="2")
    scene.put(pod())
    batch = plan_changes(scene.world, scene.pending, "s", 2).batch
    assert [m["spec"]["version"] for m in batch.models] == ["2"]
    assert [p.uid for p in batch.pods] == ["uid-chat"]
    assert (batch.reset, batch.complete) == (False, False)
    scene.world.remove(MODEL)
    scene.world.remove(Key("Pod", TEAM, "chat"))
    batch = plan_changes(scene.world, scene.pending, "s", 3).batch
    assert [(k.kind, k.namespace, k.name) for k in batch.removed] == [
        (ATTESTED_MODEL.name, TEAM, "demo")
    ]
    assert batch.removed_pods == ("uid-chat",)
    assert encode(plan_changes(scene.world, scene.pending, "s", 4).batch) == encode(
        ObservedBatch(session="s", sequence=4)
    )


def test_status_writes_are_not_relayed() -> None:
    """Those that change neither spec nor certificates: members need not hear of them."""
    scene = verified_scene()
    scene.pending.clear()
    scene.put(scene.documents[MODEL])
    assert scene.pending.objects == {}


@pytest.mark.requirement("certificates by quorum: members get back what they signed together")
def test_certificates_are_relayed_beside_the_spec() -> None:
    """Those of the status that verify; a new one is a change, and so is one that was withdrawn."""
    scene = verified_scene()
    (batch,) = whole(scene)
    held = [entry["envelope"] for entry in scene.status["certificates"]]
    assert [batch.models[0][CERTIFICATES_FIELD]] == [held]
    scene.pending.clear()
    scene.now += timedelta(minutes=1)
    scene.approves()
    scene.settle()
    (model,) = plan_changes(scene.world, scene.pending, "s", 2).batch.models
    assert model[CERTIFICATES_FIELD] != held
    scene.denies()
    scene.settle()
    (model,) = plan_changes(scene.world, scene.pending, "s", 3).batch.models
    assert CERTIFICATES_FIELD not in model


@pytest.mark.requirement("certificates by quorum: members get back what they signed together")
def test_members_hear_that_a_certificate_lost_its_quorum() -> None:
    """A quarantine takes it from the status as it is read here, and so from what is relayed."""
    committee = vouching.Committee(n=5, thresholds=PRESETS["standard"], signing=4)
    scene = verified_scene(committee)
    scene.pending.clear()
    assert scene.world.follow(committee.without(0)) == {MODEL}
    (model,) = plan_changes(scene.world, scene.pending, "s", 2).batch.models
    assert CERTIFICATES_FIELD not in model


@pytest.mark.requirement("attack: one tenant's odd object must not stop the relay for all")
@pytest.mark.parametrize("odd", ["", "é", "x" * (CERTIFICATE_BYTES + 1)])
def test_what_a_member_would_not_read_is_left_out(odd: str) -> None:
    """It would refuse the whole batch for it."""
    told = with_certificates({"spec": {}}, [odd, "good", *["more"] * CERTIFICATES_MAX])
    assert len(relayed_certificates(told)) == CERTIFICATES_MAX
    assert odd not in told[CERTIFICATES_FIELD]
    assert without_certificates(told) == with_certificates({"spec": {}}, [odd]) == {"spec": {}}


def test_many_changes_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit stays pending for the next batch."""
    monkeypatch.setattr(relay, "ITEMS_PER_BATCH", 2)
    scene = verified_scene()
    scene.pending.clear()
    for index in range(5):
        scene.put(pod(f"p{index}"))
    sizes = [len(plan_changes(scene.world, scene.pending, "s", n).batch.pods) for n in range(2, 6)]
    assert sizes == [2, 2, 1, 0]
