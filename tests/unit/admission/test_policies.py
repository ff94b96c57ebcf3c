"""Which policies count for a pod, and what happens when there are none, several or broken ones."""

from typing import Any

import pytest

from quorate.admission import validate
from quorate.verdict import Reason, Verdict
from tests.fakes.vouching import EXEMPT_DIGEST, OWNERS, policy, signers
from tests.unit.admission.pod_builder import EXEMPT_IMAGE, PodBuilder, bare_pod, exempt_pod
from tests.unit.admission.world import FLOOR, OWNER, World, good_world

OTHER = f"sha256:{'d' * 64}"


def verdict(world: World, pod: dict[str, Any] | None = None) -> Verdict:
    """Whether a pod is admitted in this world; the good one unless one is given."""
    pod = pod or PodBuilder(world.snapshot).build()
    return validate.create(pod, world.snapshot).verdict


def reasons(found: Verdict) -> list[Reason]:
    return [denial.reason for denial in found.denials]


@pytest.mark.requirement("no policy selects → DENY")
def test_no_policy_denies() -> None:
    """Silence is not consent: without any policy nothing runs, not even an exempt image."""
    for pod in (bare_pod(), exempt_pod()):
        assert reasons(verdict(World(), pod)) == [Reason.NO_POLICY]


def test_a_policy_that_selects_other_pods_denies() -> None:
    """A policy for other pods is none for this one."""
    world = World()
    world.put_policy(policy(FLOOR, selector={"matchLabels": {"app": "other"}}))
    world.put_model()
    assert reasons(verdict(world)) == [Reason.NO_POLICY]


@pytest.mark.requirement("the tenant deletes its SafetyPolicy → still denied")
def test_a_tenants_policy_is_never_the_only_one() -> None:
    """Neither a tenant's policy alone nor with a platform policy that names no signers."""
    tenants = {key: value for key, value in FLOOR.items() if key != "exemptImages"}
    world = World()
    world.put_policy(policy(tenants, name="own", namespace="team-a"))
    world.put_model()
    assert reasons(verdict(world)) == [Reason.NO_PLATFORM_FLOOR]
    world.put_policy(policy({"runtime": {"checks": []}}, name="weak"))
    world.put_model()
    assert reasons(verdict(world)) == [Reason.NO_PLATFORM_FLOOR]


def test_a_neighbours_policy_does_not_count() -> None:
    """A namespaced policy says nothing about another namespace."""
    world = good_world()
    strict = {"model": {"servers": [{"name": "x", "digest": OTHER}]}}
    world.put_policy(policy(strict, name="own", namespace="team-b"))
    assert verdict(world).allowed


@pytest.mark.requirement("two policies → the stricter wins")
def test_two_policies_leave_what_both_allow() -> None:
    """Servers, volumes and probe paths of a second policy narrow the first one's."""
    narrower: list[tuple[dict[str, Any], Reason]] = [
        ({"model": {"servers": [{"name": "x", "digest": OTHER}]}}, Reason.SERVER_NOT_ALLOWED),
        ({"model": {"servers": []}}, Reason.SERVER_NOT_ALLOWED),
        ({"model": {"volumes": []}}, Reason.VOLUME_NOT_ALLOWED),
        (
            {"runtime": {"upstream": {"port": 8000, "probePaths": ["/ready"]}}},
            Reason.PROBE_NOT_DECLARED,
        ),
        ({"runtime": {"upstream": {"port": 9000, "probePaths": []}}}, Reason.POLICY_CONFLICT),
    ]
    for spec, reason in narrower:
        world = good_world()
        world.put_policy(policy(spec, name="own", namespace="team-a"))
        world.put_model()
        found = verdict(world)
        assert set(reasons(found)) == {reason}
        assert found.denials[0].policy == "ClusterSafetyPolicy/floor, SafetyPolicy/team-a/own"


def test_a_second_policy_needs_its_own_certificate() -> None:
    """Being certified under one policy says nothing about another."""
    world = good_world()
    own = {"model": {"signers": signers(OWNER)}}
    world.put_policy(policy(own, name="own", namespace="team-a"))
    pod = PodBuilder(world.snapshot).build()
    found = validate.may_run(pod, world.snapshot, world.now).verdict
    assert reasons(found) == [Reason.CERTIFICATE_MISSING]
    assert found.denials[0].policy == "SafetyPolicy/team-a/own"
    world.put_model()
    assert validate.may_run(pod, world.snapshot, world.now).verdict.allowed


def test_no_upstream_anywhere_denies() -> None:
    """Without a port the sidecar could not stand in front of the model."""
    world = World()
    world.put_policy(policy(FLOOR | {"runtime": {}}))
    world.put_model()
    assert reasons(verdict(world)) == [Reason.POLICY_CONFLICT]


def test_too_many_policies_deny() -> None:
    """More policies than anybody could explain are refused."""
    world = good_world()
    for index in range(16):
        world.put_policy(policy({}, name=f"own-{index}", namespace="team-a"))
    assert reasons(verdict(world)) == [Reason.TOO_MANY_POLICIES]


@pytest.mark.parametrize(
    ("namespace", "where", "denied"),
    [(None, "team-a", True), ("team-a", "team-a", True), ("team-b", "team-a", False)],
)
def test_a_broken_policy_denies_what_it_might_be_for(
    namespace: str | None, where: str, denied: bool
) -> None:
    """An error in a policy is a DENY, for its namespace or for all; exempt images included."""
    world = good_world()
    broken = policy({"model": {"signers": {"threshold": 2, "keys": []}}}, name="broken")
    if namespace:
        broken["kind"] = "SafetyPolicy"
        broken["metadata"]["namespace"] = namespace
    world.store.put_policy(broken)
    for pod in (PodBuilder(world.snapshot).build(), exempt_pod()):
        pod["metadata"]["namespace"] = where
        assert reasons(verdict(world, pod)) == ([Reason.INVALID_POLICY] if denied else [])


def test_model_without_owners_denies() -> None:
    """Where a namespace enforces, somebody must answer for the model."""
    world = good_world()
    world.put_model(owners=None)
    assert reasons(verdict(world)) == [Reason.MALFORMED]


def test_no_label_denies() -> None:
    """A pod that is not exempt must say which model it serves."""
    world = good_world()
    pod = bare_pod()
    del pod["metadata"]["labels"]["quorate.dev/model"]
    assert reasons(verdict(world, pod)) == [Reason.NO_MODEL_LABEL]


@pytest.mark.requirement("no AttestedModel → create denied with policy, owner and fix")
def test_no_model_denies_with_policy_owner_and_fix() -> None:
    """The denial says which policy asks, who answers for it and what to type."""
    world = World()
    world.put_policy(policy(FLOOR))
    found = verdict(world, bare_pod())
    assert reasons(found) == [Reason.MODEL_NOT_FOUND]
    text = found.text()
    assert "ClusterSafetyPolicy/floor" in text
    assert OWNERS["safety"]["contact"] in text
    assert "kubectl quorate model manifest --name demo --namespace team-a" in text


def test_a_model_of_another_namespace_is_none() -> None:
    """Names count within a namespace only."""
    world = good_world()
    pod = PodBuilder(world.snapshot).build()
    pod["metadata"]["namespace"] = "team-b"
    assert reasons(verdict(world, pod)) == [Reason.MODEL_NOT_FOUND]


def test_exempt_images_need_no_model() -> None:
    """A pod made of exempt images only is admitted without gate and sidecar."""
    judgement = validate.create(exempt_pod(), good_world().snapshot)
    assert judgement.verdict.allowed
    assert judgement.exempt


def add_container(field: str, image: str) -> dict[str, Any]:
    pod = exempt_pod()
    pod["spec"].setdefault(field, []).append({"name": "more", "image": image})
    return pod


@pytest.mark.parametrize("field", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize("image", [f"x@{OTHER}", "x:v1", "", f"x:{EXEMPT_DIGEST[7:]}"])
def test_one_other_image_ends_the_exemption(field: str, image: str) -> None:
    """Every image of every kind of container must be on the list, by digest."""
    assert reasons(verdict(good_world(), add_container(field, image))) == [Reason.NO_MODEL_LABEL]


def test_an_image_volume_ends_the_exemption() -> None:
    """An exempt program with somebody's weights in an image volume is a model pod."""
    pod = exempt_pod()
    pod["spec"]["volumes"] = [{"name": "w", "image": {"reference": f"x@{OTHER}"}}]
    assert reasons(verdict(good_world(), pod)) == [Reason.NO_MODEL_LABEL]


def test_a_pod_without_containers_is_not_exempt() -> None:
    """All of no images is not a yes."""
    pod = exempt_pod()
    pod["spec"]["containers"] = []
    assert reasons(verdict(good_world(), pod)) == [Reason.NO_MODEL_LABEL]


def test_exemptions_intersect() -> None:
    """Every platform policy that selects the pod must list the image; a tenant's list is none."""
    world = good_world()
    world.put_policy(policy({"model": {"signers": signers(OWNER)}}, name="second"))
    assert reasons(verdict(world, exempt_pod())) == [Reason.NO_MODEL_LABEL]
    entry = [{"digest": EXEMPT_DIGEST, "reason": "the same"}]
    both = {"model": {"signers": signers(OWNER)}, "exemptImages": entry}
    world.put_policy(policy(both, name="second"))
    assert verdict(world, exempt_pod()).allowed


def test_an_exempt_pod_gets_no_token_of_ours() -> None:
    """Not even under the name of the volume that mutate adds."""
    for name in ("mine", "quorate-token"):
        pod = exempt_pod()
        source = {"serviceAccountToken": {"audience": "quorate", "path": "token"}}
        pod["spec"]["volumes"] = [{"name": name, "projected": {"sources": [source]}}]
        assert reasons(verdict(good_world(), pod)) == [Reason.TOKEN_AUDIENCE]


def test_selection_is_remembered_per_kind_of_pod_and_bounded() -> None:
    """Labels no selector names do not matter; those a selector names do, even if empty."""
    world = World()
    world.put_policy(policy(FLOOR, selector={"matchLabels": {"tier": "gpu"}}))
    selections = world.snapshot.policies.selections
    first = selections.of("team-a", {"tier": "gpu", "app": "a"})
    assert selections.of("team-a", {"tier": "gpu", "app": "b"}) is first
    assert not selections.of("team-a", {"tier": ""}).policies
    assert selections.of("team-a", {"tier": ""}) is not selections.of("team-a", {})
    for index in range(5000):
        selections.of("team-a", {"tier": str(index)})
    assert len(selections._remembered) <= 4096
    assert selections.of("team-a", {"tier": "gpu"}).policies


def test_images_with_port_and_tag_and_digest_count_by_digest() -> None:
    """A registry's port or a tag beside the digest changes nothing."""
    pod = exempt_pod()
    pod["spec"]["containers"][0]["image"] = EXEMPT_IMAGE.replace("@", ":v1@")
    assert verdict(good_world(), pod).allowed
