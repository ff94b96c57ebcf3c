"""The operator's relay: nothing lost, nothing half, and what cannot be read denies."""

import json
from typing import Any

import msgspec
import pytest

from quorate import limits
from quorate.certificate import PolicyRef
from quorate.errors import InvalidInput, LimitExceeded
from quorate.policy.compiled import CompiledPolicy
from quorate_consensus import observed
from quorate_consensus.observed import Observed, ObservedModel, UnreadableModel
from quorate_consensus.relay import Relay, ResyncNeeded, read_batch
from quorate_io import member_api
from quorate_io.member_api import ObjectKey, ObservedBatch, ObservedPod
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import POD, ManualClock, Scene, relayed

SCENE = Scene()
FLOOR_KEY = ObjectKey(kind="ClusterSafetyPolicy", namespace=None, name="floor")


def known(relay: Relay) -> Observed:
    """What the relay made of its batches; there must be something."""
    assert relay.current is not None
    return relay.current


def change(sequence: int, **fields: Any) -> ObservedBatch:
    """A later batch of the scene's session."""
    return ObservedBatch(session="s", sequence=sequence, **fields)


def test_nothing_counts_before_the_session_is_complete() -> None:
    """The first parts of a session are kept apart until the last one is there."""
    relay = relayed(SCENE.batch(complete=False, models=()))
    assert (relay.current, relay.heard_at) == (None, None)
    relayed(change(2, models=(SCENE.model(),), complete=True), relay=relay)
    assert known(relay).counts() == {"policies": 1, "models": 1, "pods": 1}
    assert relay.heard_at == NOW


def test_a_new_session_replaces_the_old_one_at_once() -> None:
    """While a new session is being told, the old picture serves; then only the new one does."""
    clock = ManualClock()
    relay = relayed(SCENE.batch())
    clock.advance(5)
    relayed(
        ObservedBatch(session="t", sequence=1, reset=True, pods=(POD,)),
        relay=relay,
        now=clock.now(),
    )
    assert known(relay).counts()["policies"] == 1
    assert relay.heard_at == NOW  # the old picture does not become fresh by this
    relayed(ObservedBatch(session="t", sequence=2, complete=True), relay=relay, now=clock.now())
    assert known(relay).counts() == {"policies": 0, "models": 0, "pods": 1}
    assert relay.heard_at == clock.now()


@pytest.mark.parametrize(
    "batch",
    [
        change(1),
        change(3),
        ObservedBatch(session="t", sequence=2),
        ObservedBatch(session="t", sequence=2, complete=True),
    ],
)
def test_a_gap_asks_for_a_new_session(batch: ObservedBatch) -> None:
    """A lost batch, an older one or another sender's is never applied."""
    relay = relayed(SCENE.batch(), change(2, removed_pods=(POD.uid,)))
    if batch.sequence == 3:
        batch = change(4)
    with pytest.raises((ResyncNeeded, InvalidInput)):
        relayed(batch, relay=relay)
    assert known(relay).counts()["pods"] == 0


def test_a_member_that_knows_nothing_asks_for_a_session() -> None:
    """After a restart a change is refused, so that the operator tells everything again."""
    with pytest.raises(ResyncNeeded):
        relayed(change(2), relay=Relay())


@pytest.mark.parametrize("batch", [change(2, reset=True), change(1, reset=False)])
def test_reset_goes_with_the_first_batch(batch: ObservedBatch) -> None:
    """A batch that contradicts itself is refused."""
    with pytest.raises(InvalidInput):
        relayed(batch)


def test_the_last_batch_may_be_sent_again() -> None:
    """An answer that got lost costs nothing: the batch is not applied twice."""
    relay = relayed(SCENE.batch(), change(2, removed_pods=(POD.uid,)))
    relayed(change(2, removed_pods=(POD.uid,)), relay=relay)
    relayed(change(3, pods=(POD,)), relay=relay)
    assert known(relay).counts()["pods"] == 1


def test_a_heartbeat_is_heard() -> None:
    """An empty change says that the picture is still all."""
    clock = ManualClock()
    relay = relayed(SCENE.batch())
    clock.advance(15)
    relayed(change(2), relay=relay, now=clock.now())
    assert relay.heard_at == clock.now()


def test_removals_come_before_additions() -> None:
    """A policy that was replaced in one batch is there; one that was removed is not."""
    relay = relayed(SCENE.batch(), change(2, removed=(FLOOR_KEY,), policies=(SCENE.floor(),)))
    assert len(known(relay).policies_for("team-a")) == 1
    model = ObjectKey(kind="AttestedModel", namespace="team-a", name="demo")
    relayed(change(3, removed=(FLOOR_KEY, model)), relay=relay)
    assert known(relay).counts() == {"policies": 0, "models": 0, "pods": 1}


@pytest.mark.parametrize(
    "key",
    [
        ObjectKey(kind="Pod", namespace="team-a", name="x"),
        ObjectKey(kind="ClusterSafetyPolicy", namespace="team-a", name="floor"),
        ObjectKey(kind="SafetyPolicy", namespace=None, name="floor"),
    ],
)
def test_a_removal_that_would_remove_nothing(key: ObjectKey) -> None:
    """A key that can match no object is a mistake of the sender, not a removal done."""
    with pytest.raises(InvalidInput):
        relayed(SCENE.batch(), change(2, removed=(key,)))


def broken_policy(namespace: str | None) -> dict[str, Any]:
    """A policy whose signer's key is no key."""
    document = vouching.policy(
        {"model": {"signers": vouching.signers(SCENE.owner)}}, name="odd", namespace=namespace
    )
    document["spec"]["model"]["signers"]["keys"][0]["publicKey"] = "x" * 64
    return document


@pytest.mark.parametrize("namespace", [None, "team-a"])
@pytest.mark.requirement("an error in one policy is a DENY")
def test_a_policy_that_does_not_compile_is_remembered(namespace: str | None) -> None:
    """It denies its namespace, or every one, and the operator is told why."""
    relay = Relay()
    batch = SCENE.batch(policies=(SCENE.floor(), broken_policy(namespace)))
    problems = relay.accept(read_batch(msgspec.json.encode(batch)), NOW)
    assert [p.object for p in problems] == [
        f"{'Safety' if namespace else 'ClusterSafety'}Policy"
        + (f"/{namespace}" if namespace else "")
        + "/odd"
    ]
    found = known(relay)
    assert found.broken_for("team-a") is not None
    assert (found.broken_for("team-b") is not None) == (namespace is None)
    kind = "SafetyPolicy" if namespace else "ClusterSafetyPolicy"
    relayed(
        change(2, removed=(ObjectKey(kind=kind, namespace=namespace, name="odd"),)), relay=relay
    )
    assert found.broken_for("team-a") is None


def test_a_model_that_cannot_be_read_is_remembered() -> None:
    """It replaces what was known under its name, so that an old good model does not linger."""
    document = SCENE.model()
    document["spec"] = {}
    relay = relayed(SCENE.batch(), change(2, models=(document,)))
    assert isinstance(known(relay).models["team-a", "demo"], UnreadableModel)
    relayed(change(3, models=(SCENE.model(),)), relay=relay)
    assert isinstance(known(relay).models["team-a", "demo"], ObservedModel)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "ClusterSafetyPolicy", "metadata": {"name": "x"}},
        {"apiVersion": "quorate.dev/v9", "kind": "ClusterSafetyPolicy", "metadata": {"name": "x"}},
        {"apiVersion": "quorate.dev/v1alpha1", "kind": "SafetyPolicy", "metadata": {"name": "x"}},
        {"apiVersion": "quorate.dev/v1alpha1", "kind": "SafetyPolicy", "metadata": []},
        {"apiVersion": "quorate.dev/v1alpha1", "kind": ["SafetyPolicy"], "metadata": {}},
    ],
)
def test_a_policy_without_an_identity(document: dict[str, Any]) -> None:
    """What it would deny cannot be known, so the whole batch is refused."""
    with pytest.raises(InvalidInput):
        relayed(SCENE.batch(policies=(document,)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"session":"s","sequence":1,"sequence":2}',
        b'{"session":"s","sequence":0}',
        b'{"session":"","sequence":1}',
        b'{"session":"s","sequence":1,"unknown":1}',
        b'{"session":"s","sequence":1.5}',
        b'{"session":"s","sequence":1,"pods":[{"uid":"u","namespace":"n","name":"p"}]}',
        b'{"session":"s","sequence":1,"models":[1]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_malformed_batches(body: bytes) -> None:
    """Anything but a batch is an error of ours."""
    with pytest.raises(InvalidInput):
        read_batch(body)


def test_a_batch_beyond_the_bound() -> None:
    """A body that is too large is refused before it is parsed."""
    with pytest.raises(LimitExceeded):
        read_batch(b" " * (member_api.BATCH_BYTES + 1))


def test_a_namespace_with_too_many_policies_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting one would loosen; so its namespace is denied, and no other."""
    monkeypatch.setattr(observed, "POLICIES_PER_NAMESPACE", 2)
    policies = tuple(
        vouching.policy({}, name=f"p{index}", namespace="team-a") for index in range(3)
    )
    found = known(relayed(SCENE.batch(policies=(SCENE.floor(), *policies))))
    broken = found.broken_for("team-a")
    assert broken is not None
    assert broken.message == "more than 2 policies"
    assert found.broken_for("team-b") is None


def test_pods_and_models_beyond_the_bound_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are denied as unknown, and the operator is told."""
    monkeypatch.setattr(limits, "PODS_PER_CLUSTER", 1)
    monkeypatch.setattr(limits, "MODELS_PER_CLUSTER", 1)
    second = ObservedPod(uid="u2", namespace="team-a", name="p2", labels={})
    other = vouching.attested_model(vouching.model_files("1"), name="other")
    batch = SCENE.batch(models=(SCENE.model(), other), pods=(POD, second))
    relay = Relay()
    problems = relay.accept(read_batch(msgspec.json.encode(batch)), NOW)
    assert [(p.object, p.message) for p in problems] == [
        ("team-a/other", "more than 1 models"),
        ("team-a/p2", "more than 1 pods"),
    ]
    assert set(known(relay).pods) == {POD.uid}


def test_policies_are_found_by_namespace() -> None:
    """A namespace sees its own policies and the cluster's."""
    tenants = tuple(vouching.policy({}, name="p", namespace=n) for n in ("team-a", "team-b"))
    found = known(relayed(SCENE.batch(policies=(SCENE.floor(), *tenants))))
    refs = [policy.ref for policy in found.policies_for("team-a")]
    assert refs == [
        PolicyRef("ClusterSafetyPolicy", None, "floor"),
        PolicyRef("SafetyPolicy", "team-a", "p"),
    ]
    assert all(isinstance(p, CompiledPolicy) for p in found.policies_for("team-b"))


def test_a_models_digest_covers_its_spec_alone() -> None:
    """Status and metadata of a model do not make it another one; its evidence does."""
    first = SCENE.model()
    again = json.loads(json.dumps(first)) | {"status": {"observedGeneration": 3}}
    other = SCENE.model()
    other["spec"]["version"] = "2"
    models = [
        known(relayed(SCENE.batch(models=(document,)))).models["team-a", "demo"]
        for document in (first, again, other)
    ]
    digests = [model.digest for model in models if isinstance(model, ObservedModel)]
    assert digests[0] == digests[1] != digests[2]
