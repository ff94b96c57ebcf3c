"""Mutate: adds what is missing, only that, and once; decides nothing."""

import copy
from typing import Any

import jsonpatch
import pytest

from quorate import names
from quorate.admission import injection, mutate, validate
from quorate.admission.snapshot import Snapshot
from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput
from quorate.policy.compiled import compile_policy
from quorate.verdict import Reason
from tests.fakes.vouching import SERVER_DIGEST, policy
from tests.unit.admission.pod_builder import PodBuilder, bare_pod, exempt_pod
from tests.unit.admission.world import FLOOR, good_world, injection_config

WORLD = good_world()
SNAPSHOT = WORLD.snapshot


def mutated(pod: dict[str, Any], snapshot: Snapshot = SNAPSHOT) -> dict[str, Any]:
    """The pod after the patch, applied by another implementation of JSON Patch than ours."""
    operations = copy.deepcopy(mutate.complete(pod, snapshot))
    result: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(pod), operations)
    return result


def test_the_patch_only_adds() -> None:
    """Every operation is an add; nothing the tenant wrote is changed or removed."""
    pod = bare_pod()
    assert {operation["op"] for operation in mutate.complete(pod, SNAPSHOT)} == {"add"}
    after = mutated(pod)
    assert after["metadata"] == pod["metadata"]
    for field, value in pod["spec"].items():
        if field == "containers":
            assert [c | {"lifecycle": None} for c in after["spec"][field]] == [
                c | {"lifecycle": None} for c in value
            ]
        elif isinstance(value, list):
            assert after["spec"][field][: len(value)] == value
        else:
            assert after["spec"][field] == value


TAGGED = "registry.quorate.test:5000/server:v1"
PINNED = {"name": "server", "digest": SERVER_DIGEST, "image": TAGGED}
OTHER_DIGEST = f"sha256:{'9' * 64}"


def pinning(*servers: dict[str, Any], **more: dict[str, Any]) -> Snapshot:
    """The world with tags in the floor's servers, and more cluster policies by name."""
    world = good_world()
    floor = copy.deepcopy(FLOOR)
    floor["model"]["servers"] = list(servers)
    world.put_policy(policy(floor))
    for name, server in more.items():
        spec = {"model": {"servers": [server]}}
        world.put_policy(policy(spec, name=name))
    world.put_model()
    return world.snapshot


def tagged(image: str = TAGGED) -> dict[str, Any]:
    """A pod that names its server by tag."""
    pod = bare_pod()
    pod["spec"]["containers"][0]["image"] = image
    return pod


@pytest.mark.requirement("tags are resolved and pinned to digests once")
def test_a_pinned_tag_becomes_its_digest() -> None:
    """As the policy says, the same each time, and validate takes it; the rest of the patch adds."""
    snapshot = pinning(PINNED)
    first, *others = mutate.complete(tagged(), snapshot)
    assert first == {
        "op": "replace",
        "path": "/spec/containers/0/image",
        "value": f"{TAGGED}@{SERVER_DIGEST}",
    }
    assert {operation["op"] for operation in others} == {"add"}
    once = mutated(tagged(), snapshot)
    assert mutate.complete(once, snapshot) == []
    assert mutate.apply(tagged(), mutate.complete(tagged(), snapshot)) == once
    assert validate.create(once, snapshot).verdict.allowed


@pytest.mark.requirement("tags are resolved and pinned to digests once")
@pytest.mark.parametrize(
    "image",
    [
        "registry.quorate.test:5000/server",
        "registry.quorate.test:5000/server:v2",
        "registry.quorate.test:5000/server:V1",
        "server:v1",
        f"{TAGGED}@{OTHER_DIGEST}",
        "",
    ],
)
def test_what_is_not_pinned_stays_and_is_refused(image: str) -> None:
    """No default registry, no latest, no other spelling; the denial names both ways out."""
    snapshot = pinning(PINNED)
    pod = mutated(tagged(image), snapshot)
    assert pod["spec"]["containers"][0]["image"] == image
    (denial,) = validate.create(pod, snapshot).verdict.denials
    assert denial.reason is Reason.SERVER_NOT_ALLOWED
    assert "by digest, or by a tag that spec.model.servers[].image pins" in denial.fix


def test_a_pin_of_another_policy_does_not_allow() -> None:
    """A tag that one policy pins to an image another does not name is pinned, and refused."""
    snapshot = pinning(PINNED, second={"name": "s", "digest": OTHER_DIGEST})
    (denial,) = validate.create(mutated(tagged(), snapshot), snapshot).verdict.denials
    assert denial.reason is Reason.SERVER_NOT_ALLOWED


@pytest.mark.requirement("tags: two policies that pin one to different digests are refused")
def test_two_pins_of_one_tag_conflict() -> None:
    """Neither counts: the pod is left as it was, and the denial names policies and digests."""
    snapshot = pinning(PINNED, second=PINNED | {"digest": OTHER_DIGEST})
    pod = mutated(tagged(), snapshot)
    assert pod["spec"]["containers"][0]["image"] == TAGGED
    (denial,) = validate.create(pod, snapshot).verdict.denials
    assert denial.reason is Reason.POLICY_CONFLICT
    for part in ("ClusterSafetyPolicy/floor", "ClusterSafetyPolicy/second", OTHER_DIGEST):
        assert part in denial.message


def test_one_policy_may_not_pin_a_tag_twice() -> None:
    """It does not compile: which of the two was meant nobody could say."""
    other = PINNED | {"name": "other", "digest": OTHER_DIGEST}
    with pytest.raises(InvalidInput, match="listed twice"):
        compile_policy(read(ClusterSafetyPolicy, policy({"model": {"servers": [PINNED, other]}})))


@pytest.mark.parametrize("image", ["server", "server@sha256:1", f"{TAGGED}@{SERVER_DIGEST}", ":v1"])
def test_a_pin_is_a_tag(image: str) -> None:
    """Without a tag, or with a digest beside ``digest``, it is refused."""
    with pytest.raises(InvalidInput):
        read(ClusterSafetyPolicy, policy({"model": {"servers": [PINNED | {"image": image}]}}))


@pytest.mark.requirement("mutate(mutate(pod)) == mutate(pod)")
def test_mutate_is_idempotent() -> None:
    """A second run, as the API server does after another webhook's change, adds nothing."""
    once = mutated(bare_pod())
    assert mutate.complete(once, SNAPSHOT) == []


def test_what_is_injected() -> None:
    """Gate, volumes, measurement before sidecar, both after the tenant's init containers."""

    def fetch(pod: dict[str, Any]) -> None:
        pod["spec"]["initContainers"] = [{"name": "fetch", "image": "x"}]
        pod["spec"]["schedulingGates"] = [{"name": "x/y"}]

    pod = bare_pod()
    fetch(pod)
    spec = mutated(pod)["spec"]
    assert [c["name"] for c in spec["initContainers"]] == [
        "fetch",
        names.MEASURE_CONTAINER,
        names.SIDECAR_CONTAINER,
    ]
    assert spec["initContainers"][2]["restartPolicy"] == "Always"
    assert [gate["name"] for gate in spec["schedulingGates"]] == ["x/y", names.SCHEDULING_GATE]
    assert tuple(spec["volumes"][-4:]) == injection.volumes(SNAPSHOT.injection)
    assert spec["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


@pytest.mark.requirement("no API token inside injected containers")
def test_injected_containers_see_the_model_read_only_and_no_api_token() -> None:
    """The model's volume read-only, and our empty directory where the API token would be."""
    for container in mutated(bare_pod())["spec"]["initContainers"]:
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert mounts[names.MODEL_PATH]["name"] == "model"
        assert mounts[names.MODEL_PATH]["readOnly"] is True
        assert mounts[names.API_TOKEN_PATH]["name"] == names.NO_TOKEN_VOLUME
        assert SNAPSHOT.injection.genesis_digest in container["args"]


def test_a_guaranteed_pod_stays_guaranteed() -> None:
    """Requests equal limits in the injected containers, for CPU and memory."""
    for container in mutated(bare_pod())["spec"]["initContainers"]:
        resources = container["resources"]
        assert resources["limits"] == resources["requests"]
        assert set(resources["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize(
    ("grace", "hook"), [(30, {"sleep": {"seconds": 5}}), (2, {"sleep": {"seconds": 2}}), (0, None)]
)
def test_the_drain_fits_into_the_grace_period(grace: int, hook: dict[str, Any] | None) -> None:
    """The API server refuses a sleep beyond the grace period, so it is shortened to it."""
    pod = bare_pod()
    pod["spec"]["terminationGracePeriodSeconds"] = grace
    container = mutated(pod)["spec"]["containers"][0]
    assert container.get("lifecycle", {}).get("preStop") == hook


def test_a_hook_of_the_tenants_stays() -> None:
    """A stop hook that is there is left alone; another hook does not keep ours away."""
    pod = bare_pod()
    theirs = {"httpGet": {"path": "/health", "port": 8000}}
    pod["spec"]["containers"][0]["lifecycle"] = {"preStop": theirs}
    assert mutated(pod)["spec"]["containers"][0]["lifecycle"] == {"preStop": theirs}
    pod["spec"]["containers"][0]["lifecycle"] = {"postStart": theirs}
    assert set(mutated(pod)["spec"]["containers"][0]["lifecycle"]) == {"postStart", "preStop"}


def no_label(pod: dict[str, Any]) -> None:
    del pod["metadata"]["labels"][names.MODEL_LABEL]


def no_volume(pod: dict[str, Any]) -> None:
    del pod["spec"]["volumes"][0]


def two_volumes(pod: dict[str, Any]) -> None:
    pod["spec"]["volumes"].append(pod["spec"]["volumes"][0] | {"name": "twice"})


def preset_node(pod: dict[str, Any]) -> None:
    pod["spec"]["nodeName"] = "node-1"


@pytest.mark.parametrize("change", [no_label, no_volume, two_volumes])
def test_a_pod_without_a_known_model_is_completed_and_refused(change: Any) -> None:
    """The floor speaks first and finds nothing, so the reason shown is validate's."""
    pod = bare_pod()
    change(pod)
    operations = mutate.complete(pod, SNAPSHOT)
    assert operations
    assert mutate.complete(mutate.apply(pod, operations), SNAPSHOT) == []
    reasons = {
        d.reason for d in validate.create(mutate.apply(pod, operations), SNAPSHOT).verdict.denials
    }
    assert reasons
    assert Reason.NOT_GATED not in reasons


def test_a_preset_node_gets_no_patch() -> None:
    """With a gate the API server would refuse it with a reason of its own."""
    pod = bare_pod()
    preset_node(pod)
    assert mutate.complete(pod, SNAPSHOT) == []
    assert not validate.create(pod, SNAPSHOT).verdict.allowed


def test_exempt_pods_get_no_patch() -> None:
    """A pod without a model needs no sidecar."""
    assert mutate.complete(exempt_pod(), SNAPSHOT) == []


def test_apply_is_json_patch_as_far_as_it_goes() -> None:
    """Our applier and a full implementation agree, and the pod given stays as it was."""
    for before in ({}, {"schedulingGates": [{"name": "x/y"}], "initContainers": [{"name": "a"}]}):
        pod = bare_pod()
        pod["spec"] |= before
        pristine = copy.deepcopy(pod)
        assert mutate.apply(pod, mutate.complete(pod, SNAPSHOT)) == mutated(pod)
        assert pod == pristine


def test_pods_of_the_release_before_are_still_released() -> None:
    """During an upgrade what the last release injected counts, if it is configured as that."""
    world = good_world()
    digest = world.committee.genesis.digest_text
    old = injection_config(digest)
    changed = injection_config(digest, image=f"r/sidecar@sha256:{'6' * 64}")
    pod = PodBuilder(world.snapshot).build()
    for current, previous, allowed in (
        (old, (), True),
        (changed, (), False),
        (changed, (old,), True),
    ):
        snapshot = Snapshot(
            current, world.snapshot.policies, world.snapshot.models, previous=previous
        )
        assert validate.may_run(pod, snapshot, world.now).verdict.allowed is allowed
