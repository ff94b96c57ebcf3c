"""What may change in an admitted pod: the gate, images, debugging containers."""

from collections.abc import Iterator
from typing import Any

import pytest

from quorate import names
from tests.contract.floor.api import Answer
from tests.contract.floor.ground import EXEMPT, PREVIOUS_IMAGE, Floor, eventually, installed
from tools.demo.cluster import Cluster, running_cluster

pytestmark = pytest.mark.cluster

OPERATOR: dict[str, Any] = {"user": names.OPERATOR_USER, "groups": ("system:masters",)}
"""The operator's name with an administrator's rights: only admission is asked here."""
UNGATE = [{"op": "remove", "path": "/spec/schedulingGates"}]


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor with one model pod and one exempt pod, both real."""
    with installed("changes") as here:
        model = here.injected(
            schedulingGates=[{"name": "example.com/other"}, {"name": names.SCHEDULING_GATE}]
        )
        model["metadata"]["name"] = "model"
        assert here.create(model, dry_run=False).message == ""
        bare = here.pod(volumes=[], schedulingGates=[{"name": "example.com/other"}])
        bare["metadata"]["name"] = "bare"
        bare["spec"]["containers"] = [{"name": "batch", "image": EXEMPT}]
        assert here.create(bare, dry_run=False).message == ""
        yield here


def patch(
    floor: Floor, pod: str, operations: list[dict[str, Any]], part: str = "", **request: Any
) -> Answer:
    """Patch a pod under a dry run."""
    path = f"/api/v1/namespaces/{floor.namespace}/pods/{pod}{part}?dryRun=All"
    return floor.api.request(
        "PATCH", path, operations, content_type="application/json-patch+json", **request
    )


@pytest.mark.requirement("gate removal by another identity → denied")
def test_only_the_operator_removes_the_gate(floor: Floor) -> None:
    """An administrator may not, nor another account of our namespace; the operator may."""
    ours = [{"op": "remove", "path": "/spec/schedulingGates/1"}]
    others: list[dict[str, Any]] = [
        {},
        {"user": "system:serviceaccount:quorate-system:quorate-webhook", **_MASTERS},
        {"user": "system:serviceaccount:tenant:quorate-operator", **_MASTERS},
        {"user": names.OPERATOR_USER + "-2", **_MASTERS},
    ]
    for who in others:
        for operations in (ours, UNGATE):
            said = patch(floor, "model", operations, **who).message
            assert "SchedulingGateHeld" in said
            assert names.SCHEDULING_GATE in said
    assert patch(floor, "model", ours, **OPERATOR).message == ""
    assert patch(floor, "model", UNGATE, **OPERATOR).message == ""


_MASTERS = {"groups": ("system:masters",)}


def test_other_gates_and_other_pods_are_not_ours(floor: Floor) -> None:
    """A gate of somebody else is theirs to remove, in a model pod as in any other."""
    assert patch(floor, "model", [{"op": "remove", "path": "/spec/schedulingGates/0"}]).accepted
    assert patch(floor, "bare", UNGATE).accepted


def test_metadata_may_change(floor: Floor) -> None:
    """Labels, annotations and finalizers are not the floor's affair."""
    for field, value in (("annotations", {"a": "b"}), ("finalizers", ["example.com/hold"])):
        change = [{"op": "add", "path": f"/metadata/{field}", "value": value}]
        assert patch(floor, "model", change).message == ""


@pytest.mark.requirement("UPDATE judges changes: an image swap or a debugging container → denied")
def test_injected_images_do_not_change(floor: Floor) -> None:
    """Neither to the previous release's image nor to any other, not even by the operator."""
    for index in (0, 1):
        for image in (PREVIOUS_IMAGE, EXEMPT):
            path = f"/spec/initContainers/{index}/image"
            change = [{"op": "replace", "path": path, "value": image}]
            assert "InjectionDiffers" in patch(floor, "model", change).message
            assert "InjectionDiffers" in patch(floor, "model", change, **OPERATOR).message


DEBUGGER: dict[str, Any] = {"user": "debugger"}
"""May do everything inside the namespace."""


def debug(floor: Floor, pod: str, who: dict[str, Any], **fields: Any) -> str:
    """Add a debugging container; returns why it was refused."""
    container = {"name": "debug", "image": EXEMPT} | fields
    change = [{"op": "add", "path": "/spec/ephemeralContainers", "value": [container]}]
    return patch(floor, pod, change, "/ephemeralcontainers", **who).message


@pytest.fixture
def cluster(floor: Floor) -> Iterator[Cluster]:
    """The cluster, where the debugger has every right inside the namespace."""
    cluster = running_cluster()
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    cluster.apply(*_granted(floor.name, "Role", everything, namespace=floor.namespace))
    yield cluster
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", floor.name, "--ignore-not-found")


def _granted(name: str, kind: str, rules: Any, **where: str) -> list[dict[str, Any]]:
    """A role, and its binding to the debugger."""
    group = "rbac.authorization.k8s.io"
    common = {"apiVersion": f"{group}/v1", "metadata": {"name": name, **where}}
    subject = {"apiGroup": group, "kind": "User", "name": DEBUGGER["user"]}
    role = {"apiGroup": group, "kind": kind, "name": name}
    return [
        common | {"kind": kind, "rules": rules},
        common | {"kind": f"{kind}Binding", "roleRef": role, "subjects": [subject]},
    ]


@pytest.mark.requirement("UPDATE judges changes: an image swap or a debugging container → denied")
def test_model_pods_take_no_debugging_container(floor: Floor, cluster: Cluster) -> None:
    """Refused in a model pod, let through elsewhere; every right inside the namespace does not
    help. With the right to use exceptions the webhook decides, which verifies them."""
    eventually(lambda: debug(floor, "bare", DEBUGGER) == "", "the debugger's rights")
    assert "EphemeralContainer" in debug(floor, "model", DEBUGGER)
    use = [{"apiGroups": [names.GROUP], "resources": ["safetyexceptions"], "verbs": ["use"]}]
    cluster.apply(*_granted(floor.name, "ClusterRole", use))
    eventually(lambda: debug(floor, "model", DEBUGGER) == "", "the right to use exceptions")


@pytest.mark.requirement("a debugging container never comes near the injected ones")
def test_no_debugging_container_near_the_injected_ones(floor: Floor) -> None:
    """Their processes, volumes and names: refused even to an administrator."""
    volume = next(
        v["name"] for v in floor.injected()["spec"]["volumes"] if v["name"].startswith("quorate-")
    )
    for fields in (
        {"targetContainerName": names.SIDECAR_CONTAINER},
        {"targetContainerName": names.MEASURE_CONTAINER},
        {"volumeMounts": [{"name": volume, "mountPath": "/x"}]},
        {"name": "quorate-debug"},
    ):
        assert "must not come near the injected" in debug(floor, "model", {}, **fields), fields
    assert debug(floor, "model", {}, targetContainerName="server") == ""
