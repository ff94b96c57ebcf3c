"""Every pod of an enforced namespace is injected and gated, or every image of it is exempt."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quorate import names
from quorate.api.v1alpha1.safety_policy import LabelSelector
from quorate.policy.compiled import selects
from tests.contract.crds.installed import cluster_with_crds
from tests.contract.floor.ground import EXEMPT, SERVER, Floor, Pod, eventually, installed, policy

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor of this module's own."""
    with installed("required") as here:
        yield here


def batch(floor: Floor, *images: str) -> Pod:
    """A pod that serves no model."""
    pod = floor.pod(volumes=[])
    pod["spec"]["containers"] = [
        {"name": f"batch-{index}", "image": image} for index, image in enumerate(images)
    ]
    return pod


@pytest.mark.requirement("our configurations deleted → the floor denies")
def test_a_pod_without_injection_is_refused_with_policy_and_owner(floor: Floor) -> None:
    """The denial names the reason, the policy that asks for it, and whom to speak to."""
    said = floor.create(floor.pod()).message
    assert f"{floor.name}-required" in said
    assert "InjectionDiffers: the pod must carry the injected containers" in said
    assert f"policy: ClusterSafetyPolicy/{floor.name}" in said
    assert "owner: safety team <safety@example.com>" in said


@pytest.mark.requirement("exempt list: every image, by digest")
def test_only_pods_of_exempt_images_pass_bare(floor: Floor) -> None:
    """All images must be listed, by digest; an image volume counts; an init container counts."""
    assert floor.create(batch(floor, EXEMPT)).accepted
    assert floor.create(batch(floor, EXEMPT, EXEMPT)).accepted
    tag = EXEMPT.partition("@")[0] + ":latest"
    digest_in_name = "registry.example.test/" + EXEMPT.partition("@")[2].replace(":", "-")
    for image in (SERVER, tag, digest_in_name):
        assert "InjectionDiffers" in floor.create(batch(floor, image)).message
        assert "InjectionDiffers" in floor.create(batch(floor, EXEMPT, image)).message
    mounted = batch(floor, EXEMPT)
    mounted["spec"]["volumes"] = [{"name": "more", "image": {"reference": SERVER}}]
    assert "InjectionDiffers" in floor.create(mounted).message
    mounted["spec"]["volumes"] = [{"name": "more", "image": {"reference": EXEMPT}}]
    assert floor.create(mounted).accepted
    prepared = batch(floor, EXEMPT)
    prepared["spec"]["initContainers"] = [{"name": "first", "image": SERVER}]
    assert "InjectionDiffers" in floor.create(prepared).message


def test_a_bare_pod_takes_nothing_of_ours_along(floor: Floor) -> None:
    """An exempt pod may be privileged if the namespace lets it; it may not bear our names."""
    pod = batch(floor, EXEMPT)
    pod["spec"]["containers"][0]["name"] = names.SIDECAR_CONTAINER
    assert "InjectionDiffers" in floor.create(pod).message


def privileged(pod: Pod) -> None:
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}


def capable(pod: Pod) -> None:
    context = {"capabilities": {"add": ["NET_ADMIN"]}}
    pod["spec"]["containers"][0]["securityContext"] = context


def preset(pod: Pod) -> None:
    pod["spec"]["nodeName"] = "node-1"
    del pod["spec"]["schedulingGates"]


def ungated(pod: Pod) -> None:
    del pod["spec"]["schedulingGates"]


def other_gate(pod: Pod) -> None:
    pod["spec"]["schedulingGates"] = [{"name": "example.com/other"}]


def node_directory(pod: Pod) -> None:
    pod["spec"]["volumes"].append({"name": "node", "hostPath": {"path": "/srv/models"}})


def spec_flag(name: str) -> Callable[[Pod], None]:
    """A change that sets one flag of the spec."""

    def change(pod: Pod) -> None:
        pod["spec"][name] = True

    return change


CASES: dict[str, tuple[Callable[[Pod], None], str]] = {
    "hostNetwork": (spec_flag("hostNetwork"), "HostAccess: spec.hostNetwork"),
    "hostPID": (spec_flag("hostPID"), "HostAccess: spec.hostPID"),
    "hostIPC": (spec_flag("hostIPC"), "HostAccess: spec.hostIPC"),
    "shareProcessNamespace": (spec_flag("shareProcessNamespace"), "HostAccess"),
    "privileged": (privileged, "HostAccess: no container may be privileged"),
    "capabilities": (capable, "HostAccess: no container may add capabilities"),
    "hostPath": (node_directory, "HostAccess: hostPath volumes"),
    "nodeName": (preset, "NodeNamePreset"),
    "no gate": (ungated, "SchedulingGateMissing"),
    "another gate": (other_gate, "SchedulingGateMissing"),
}


@pytest.mark.requirement("floor: gate, no host access, no added capabilities, no preset node")
@pytest.mark.parametrize("title", CASES)
def test_an_injected_pod_has_no_way_to_the_host(floor: Floor, title: str) -> None:
    """Each way is refused with its own reason, although the injection is as it must be."""
    change, reason = CASES[title]
    pod = floor.injected()
    change(pod)
    said = floor.create(pod).message
    assert reason in said
    assert f"{floor.name}-required" in said


EXPRESSIONS: list[dict[str, Any]] = [
    {"key": "tier", "operator": "In", "values": ["prod", "stage"]},
    {"key": "tier", "operator": "NotIn", "values": ["prod", "stage"]},
    {"key": "tier", "operator": "Exists"},
    {"key": "tier", "operator": "DoesNotExist"},
]
LABELS: list[dict[str, str]] = [{}, {"tier": "prod"}, {"tier": "dev"}, {"tier": ""}]


@pytest.mark.requirement("floor: selectors as Kubernetes reads them")
def test_selectors_mean_what_they_mean_in_validate(floor: Floor) -> None:
    """CEL and Python agree on every operator, on pairs of them, and on absent labels."""
    pairs = [[e] for e in EXPRESSIONS] + [list(p) for p in itertools.combinations(EXPRESSIONS, 2)]
    selectors = {
        f"case-{index}": {"matchLabels": {"case": f"case-{index}"}, "matchExpressions": pair}
        for index, pair in enumerate(pairs)
    }
    last = {"matchLabels": {"case": "last"}}
    cluster_with_crds().apply(
        *(policy(f"{floor.name}-{c}", floor.name, s, ()) for c, s in selectors.items()),
        policy(f"{floor.name}-last", floor.name, last, ()),
    )

    def judged(labels: dict[str, str]) -> bool:
        pod = batch(floor, EXEMPT)
        pod["metadata"]["labels"] = labels
        return floor.create(pod).accepted

    eventually(lambda: not judged({"case": "last"}), "the last policy is in force")
    wrong = [
        (case, labels)
        for (case, selector), labels in itertools.product(selectors.items(), LABELS)
        if judged(labels | {"case": case})
        is selects(LabelSelector.model_validate(selector), labels | {"case": case})
    ]
    assert wrong == []


@pytest.mark.requirement("exemptions intersect")
def test_every_policy_that_selects_must_exempt(floor: Floor) -> None:
    """A second policy that selects the pod and does not list its image refuses it."""
    labels = {"floor": floor.name, "also": "this"}
    pod = batch(floor, EXEMPT)
    pod["metadata"]["labels"] = labels
    assert floor.create(pod).accepted
    second = f"{floor.name}-second"
    selector = {"matchLabels": {"also": "this"}}
    cluster_with_crds().apply(policy(second, floor.name, selector, ()))
    eventually(lambda: not floor.create(pod).accepted, "the second policy is in force")
    assert f"ClusterSafetyPolicy/{second}" in floor.create(pod).message


@pytest.mark.requirement("hostPath off by default, a switch that the policy shows")
def test_a_nodes_directory_where_the_policies_name_it(floor: Floor) -> None:
    """Every ClusterSafetyPolicy that selects the pod must name HostPath in model.sources."""
    with installed("node") as here:
        pod = here.injected()
        node_directory(pod)
        assert "HostAccess: hostPath volumes" in here.create(pod).message
        named = policy(here.name, here.name, {"matchLabels": {"floor": here.name}})
        named["spec"]["model"] = {"sources": ["Image", "HostPath"]}
        cluster_with_crds().apply(named)
        eventually(lambda: here.create(pod).accepted, "the policy names HostPath")


@pytest.mark.requirement("no policy selects → DENY, by value also in the floor")
def test_a_pod_that_no_policy_selects() -> None:
    """By default the floor leaves it to validate; with denyUnselected it refuses."""
    for value in ("false", "true"):
        with installed(f"unselected-{value}", deny_unselected=value) as here:
            pod = batch(here, SERVER)
            pod["metadata"]["labels"] = {"nobody": "selects-this"}
            assert here.create(pod).accepted is (value == "false")
            exempt = batch(here, EXEMPT)
            exempt["metadata"]["labels"] = {"nobody": "selects-this"}
            assert here.create(exempt).accepted


@pytest.mark.requirement("missing is DENY: no ClusterSafetyPolicy, no genesis")
def test_missing_parameters_refuse_everything() -> None:
    """Without any ClusterSafetyPolicy, or without the genesis, no pod passes."""
    with installed("missing") as here:
        cluster = cluster_with_crds()
        exempt = batch(here, EXEMPT)
        assert here.create(exempt).accepted
        cluster.kubectl("delete", "secret", "quorate-genesis", "-n", f"{here.name}-system")
        eventually(lambda: not here.create(exempt).accepted, "the genesis is missed")
        assert f"{here.name}-injection" in here.create(exempt).message
    with installed("no-policy") as here:
        assert here.create(here.injected()).accepted
        cluster.kubectl("delete", "clustersafetypolicy", here.name)
        eventually(lambda: not here.create(here.injected()).accepted, "the policy is missed")
        assert f"{here.name}-required" in here.create(here.injected()).message


@pytest.mark.requirement("static pods are seen: their mirrors are not refused")
def test_only_a_node_makes_a_mirror(floor: Floor) -> None:
    """A mirror by the node passes the floor; the annotation alone, by anyone else, does not."""
    pod = floor.pod(nodeName="node-1", volumes=[])
    pod["spec"]["containers"][0]["volumeMounts"] = []
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}
    node: dict[str, Any] = {"user": "system:node:node-1", "groups": ("system:masters",)}
    assert floor.name not in floor.create(pod, **node).message
    assert "NodeNamePreset" in floor.create(pod).message


@pytest.mark.requirement("uninstall leaves nothing stuck; a second helm install works")
def test_a_second_installation_finds_its_genesis() -> None:
    """After the last policy with such a parameter is gone, the API server finds a new one's."""
    for purpose in ("first", "second"):
        with installed(purpose) as here:
            assert here.create(here.injected()).message == ""
