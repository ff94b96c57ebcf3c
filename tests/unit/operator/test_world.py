import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate import limits, names
from quorate.admission.snapshot import BrokenPolicy
from quorate_io import member_api
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLAIM,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    Key,
)
from quorate_operator.relayed import relayed, relayed_pod
from tests.fakes import vouching
from tests.unit.operator.scene import FLOOR_SPEC, MODEL, TEAM, verified_scene

Document = dict[str, Any]


def pod(
    name: str = "chat",
    *,
    gated: bool = True,
    model: str = "demo",
    labels: dict[str, str] | None = None,
) -> Document:
    """A pod of a model."""
    return {
        "kind": POD.name,
        "metadata": {
            "name": name,
            "namespace": TEAM,
            "uid": f"uid-{name}",
            "labels": {names.MODEL_LABEL: model} | (labels or {}),
        },
        "spec": {
            "containers": [],
            "schedulingGates": [{"name": names.SCHEDULING_GATE}] if gated else [],
        },
    }


def pod_key(name: str = "chat") -> Key:
    """A pod's key."""
    return Key(POD.name, TEAM, name)


@pytest.mark.requirement("operator: policy change re-verifies all models of the scope")
def test_changed_policy_concerns_the_models_and_gated_pods_of_its_scope() -> None:
    """A cluster policy concerns all namespaces, a tenant's policy its own; so does its removal."""
    scene = verified_scene()
    scene.put(pod())
    scene.put(pod("running", gated=False))
    other = vouching.attested_model(vouching.model_files("1"), namespace="team-b")
    elsewhere = Key(ATTESTED_MODEL.name, "team-b", "demo")
    scene.put(other)
    floor = Key(CLUSTER_SAFETY_POLICY.name, "", "floor")
    changed = vouching.policy(FLOOR_SPEC | {"mode": "Warn"})
    assert scene.put(changed) == {floor, MODEL, elsewhere, pod_key()}
    mine = scene.put(vouching.policy(FLOOR_SPEC, name="mine", namespace=TEAM))
    assert mine == {Key("SafetyPolicy", TEAM, "mine"), MODEL, pod_key()}
    assert scene.world.remove(floor) == {floor, MODEL, elsewhere, pod_key()}
    assert scene.world.compiled()[0].ref.name == "mine"


def test_status_of_a_policy_concerns_nothing_but_itself() -> None:
    """Our own write to a policy's status makes no model be judged again."""
    scene = verified_scene()
    floor = Key(CLUSTER_SAFETY_POLICY.name, "", "floor")
    before = dict(scene.pending.objects)
    assert scene.put({**scene.documents[floor], "status": {"digest": ""}}) == {floor}
    assert dict(scene.pending.objects) == before


def test_certified_model_concerns_its_gated_pods() -> None:
    """A model's new status is when its pods may be released; other models' pods wait on."""
    scene = verified_scene()
    scene.put(pod())
    scene.put(pod("other", model="else"))
    assert scene.put(scene.documents[MODEL]) == {MODEL, pod_key()}


def test_claim_and_mode_concern_what_they_decide() -> None:
    """A claim's access modes and the namespace's label are looked at for gated pods."""
    scene = verified_scene()
    scene.put(pod())
    claim = {
        "metadata": {"name": "weights", "namespace": TEAM, "uid": "c"},
        "spec": {"accessModes": ["ReadOnlyMany"]},
    }
    assert scene.put(claim, CLAIM) == {pod_key()}
    assert scene.world.remove(Key(CLAIM.name, TEAM, "weights")) == {pod_key()}
    assert scene.label("warn") == {MODEL, pod_key()}
    assert scene.label("warn") == set()
    assert scene.label(None) == {MODEL, pod_key()}
    assert not scene.world.enforces(TEAM)


def test_older_reading_of_an_object_is_not_taken_in() -> None:
    """What was written is newer than what the watch still brings; another incarnation counts."""
    scene = verified_scene()
    newest = copy.deepcopy(scene.documents[MODEL])
    older = copy.deepcopy(newest)
    older["metadata"]["resourceVersion"] = "1"
    older["spec"]["version"] = "old"
    assert scene.world.put(ATTESTED_MODEL, older, scene.now) == set()
    assert scene.world.put(ATTESTED_MODEL, newest, scene.now) == set()
    older["metadata"]["uid"] = "another"
    assert scene.world.put(ATTESTED_MODEL, older, scene.now) == {MODEL}


def test_late_word_of_a_deletion_does_not_remove_its_successor() -> None:
    """An object that was deleted and made again has another UID."""
    scene = verified_scene()
    document = copy.deepcopy(scene.documents[MODEL])
    document["metadata"]["uid"] = "second"
    scene.put(document)
    assert scene.world.remove(MODEL, "uid-demo") == set()
    assert scene.world.get(MODEL) is not None
    scene.world.remove(MODEL, "second")
    assert scene.world.get(MODEL) is None
    assert scene.world.store.snapshot().models == {}


@pytest.mark.requirement("relay: the member knows the protected pods, and only those")
def test_protected_pods_are_those_of_a_model_in_an_enforced_namespace() -> None:
    """Gated or not; until they finish, go, or their namespace stops enforcing."""
    scene = verified_scene()
    world = scene.world
    scene.put(pod("a"))
    scene.put(pod("b", gated=False))
    assert set(world.protected) == {"uid-a", "uid-b"}
    scene.pending.clear()
    scene.put(pod("a") | {"status": {"phase": "Succeeded"}})
    assert set(world.protected) == {"uid-b"}
    assert set(scene.pending.pods) == {"uid-a"}
    scene.label("audit")
    assert world.protected == {}
    scene.label("enforce")
    assert set(world.protected) == {"uid-b"}
    again = pod("b", gated=False)
    again["metadata"]["uid"] = "uid-b2"
    scene.put(again)
    assert set(world.protected) == {"uid-b2"}
    world.remove(pod_key("b"), "uid-b2")
    assert world.protected == {}


@pytest.mark.requirement("operator: 10,000 pods listed, memory flat")
def test_pod_is_kept_whole_only_while_it_is_gated() -> None:
    """Once released, a few fields are enough."""
    scene = verified_scene()
    scene.put(pod())
    held = scene.world.pods.get(pod_key())
    assert held is not None
    assert held.document is not None
    scene.put(pod(gated=False))
    held = scene.world.pods.get(pod_key())
    assert held is not None
    assert held.document is None
    assert scene.world.pods.gated() == set()
    assert scene.world.pods.serve(TEAM, "demo")
    assert not scene.world.pods.serve(TEAM, "other")


def test_world_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects beyond the bounds are not there: their pods are denied."""
    monkeypatch.setattr(limits, "PODS_PER_CLUSTER", 2)
    monkeypatch.setattr(limits, "MODELS_PER_CLUSTER", 1)
    scene = verified_scene()
    for name in "abc":
        scene.put(pod(name))
    assert len(scene.world.pods) == 2
    scene.put(vouching.attested_model(vouching.model_files(), name="second"))
    assert scene.world.models() == {MODEL}


@pytest.mark.requirement("attack: one tenant's odd object must not stop the relay for all")
@pytest.mark.parametrize(
    "labels", [{"App": "a", "app": "b"}, {f"l{i}": "" for i in range(600)}], ids=["case", "many"]
)
def test_pod_with_labels_a_strict_parser_refuses_is_not_relayed(labels: dict[str, str]) -> None:
    """Kubernetes takes such labels; the member would refuse the whole batch for them."""
    scene = verified_scene()
    scene.put(pod("odd", labels=labels))
    scene.put(pod("good"))
    assert set(scene.world.protected) == {"uid-good"}
    odd = scene.world.pods.get(pod_key("odd"))
    assert odd is not None
    assert relayed_pod(odd, TEAM, "odd") is None


@pytest.mark.requirement("attack: one tenant's odd object must not stop the relay for all")
def test_object_a_strict_parser_refuses_is_relayed_as_one_that_denies() -> None:
    """A policy with labels in two spellings goes out empty, and does not compile at the member."""
    selector = {"matchLabels": {"App": "a", "app": "b"}}
    document = vouching.policy(FLOOR_SPEC, selector=selector)
    told = relayed(document, CLUSTER_SAFETY_POLICY.name)
    assert told["spec"] == {}
    scene = verified_scene()
    put = scene.world.store.put_policy(told)
    assert isinstance(put, BrokenPolicy)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_whatever_is_relayed_can_be_read_in_a_batch(spec: Document) -> None:
    """Property: no spec the API server might hold makes a batch unreadable."""
    document = {"metadata": {"name": "m", "namespace": "n", "annotations": spec}, "spec": spec}
    told = relayed(document, ATTESTED_MODEL.name)
    batch = member_api.ObservedBatch(session="s", sequence=1, reset=True, models=(told,))
    decoded = member_api.decode(
        member_api.encode(batch),
        member_api.ObservedBatch,
        bytes_max=member_api.BATCH_BYTES,
        what="batch",
    )
    assert decoded.models[0]["metadata"]["name"] == "m"


def test_namespace_without_the_label_is_forgotten() -> None:
    """The watch carries the label as its selector; what loses it is gone from the watch."""
    scene = verified_scene()
    assert scene.world.keys(NAMESPACE.name) == {Key(NAMESPACE.name, "", TEAM)}
    scene.world.remove(Key(NAMESPACE.name, "", TEAM), "ns")
    assert scene.world.keys(NAMESPACE.name) == set()
