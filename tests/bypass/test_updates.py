"""Changes of pods and of what stands around them, after they were admitted."""

import copy
import time

import pytest

from quorate import names
from tests.bypass.ground import APPLY, JSON_PATCH, MERGE_PATCH, Document, Ground, denied
from tests.e2e.tenant import eventually
from tests.fakes.vouching import signer, signers

OTHER = f"registry.example.test/other@sha256:{'0' * 64}"
GUARDED = ("GuardedFieldChanged", "ServerImageNotAllowed", "InjectionDiffers")


def image(value: str = OTHER, where: str = "containers/0") -> list[Document]:
    """A patch that swaps an image."""
    return [{"op": "replace", "path": f"/spec/{where}/image", "value": value}]


@pytest.mark.bypass("E01")
def test_class_e01_ephemeral_containers(ground: Ground) -> None:
    """No debugging container in a model pod, by any way of writing it."""
    path = ground.path("pods", "demo") + "/ephemeralcontainers"
    container = {
        "name": "debug",
        "image": ground.tenant.server["reference"],
        "securityContext": ground.tenant.server_container()["securityContext"],
    }
    stored = ground.pod()
    stored["spec"]["ephemeralContainers"] = [
        container | {"targetContainerName": "server", "terminationMessagePolicy": "File"}
    ]
    denied(ground.attacker.request("PUT", path, stored), "EphemeralContainer")
    patch = {"spec": {"ephemeralContainers": [container]}}
    denied(ground.patch(path, patch), "EphemeralContainer")
    denied(
        ground.patch(path, patch, "application/strategic-merge-patch+json"), "EphemeralContainer"
    )


@pytest.mark.bypass("E04")
def test_class_e04_update_after_create(ground: Ground) -> None:
    """Image and labels of a running pod stay; an exempt pod's image does too."""
    pod = ground.path("pods", "demo")
    before = ground.pod()
    denied(ground.patch(pod, image(), JSON_PATCH), *GUARDED)
    for where in ("initContainers/0", "initContainers/1"):
        denied(ground.patch(pod, image(OTHER, where), JSON_PATCH), *GUARDED)
    key = next(iter(ground.tenant.labels))
    for change in ({names.MODEL_LABEL: "other"}, {names.MODEL_LABEL: None}, {key: None}):
        labels = {"metadata": {"labels": change}}
        denied(ground.patch(pod, labels), "GuardedFieldChanged")
        denied(ground.patch(pod + "/status", labels), "GuardedFieldChanged")
    after = ground.pod()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


@pytest.mark.bypass("E21")
def test_class_e21_status_or_deletion_as_a_disguise(ground: Ground) -> None:
    """A terminating pod is guarded like any other, and a status update changes no spec."""
    ground.tenant.cluster.apply(ground.tenant.pod("ending"))
    ground.meant.add("ending")
    pod = ground.path("pods", "ending")
    hold = {"metadata": {"finalizers": ["example.com/hold"]}}
    assert ground.patch(pod, hold).message == ""
    assert ground.attacker.request("DELETE", pod + "?gracePeriodSeconds=1").accepted
    assert ground.pod("ending")["metadata"]["deletionTimestamp"]
    denied(ground.patch(pod, image(), JSON_PATCH), *GUARDED)
    stored = ground.pod("ending")
    changed = copy.deepcopy(stored)
    changed["spec"]["containers"][0]["image"] = OTHER
    ground.attacker.request("PUT", pod + "/status", changed)
    assert ground.pod("ending")["spec"]["containers"] == stored["spec"]["containers"]
    assert ground.patch(pod, {"metadata": {"finalizers": None}}).message == ""


@pytest.mark.bypass("P08")
def test_class_p08_stale_old_object(ground: Ground) -> None:
    """A gated pod cannot be changed in steps into what would not be admitted."""
    gate = {"name": "example.com/hold"}

    def held(spec: Document) -> None:
        spec["schedulingGates"] = [gate]

    answer = ground.try_pod(held)
    assert answer.message == ""
    pod = ground.path("pods", "attack")
    try:
        denied(ground.patch(pod, image(), JSON_PATCH), *GUARDED)
        denied(ground.patch(pod, image(OTHER, "initContainers/1"), JSON_PATCH), *GUARDED)
        other = {"metadata": {"labels": {names.MODEL_LABEL: "nobody"}}}
        denied(ground.patch(pod, other), "GuardedFieldChanged")
        stale = copy.deepcopy(answer.body)
        stale["spec"]["containers"][0]["image"] = OTHER
        stale["spec"]["schedulingGates"] = []
        denied(ground.attacker.request("PUT", pod, stale))
        del stale["metadata"]["resourceVersion"]
        denied(ground.attacker.request("PUT", pod, stale))
        spec = ground.pod("attack")["spec"]
        assert spec["containers"] == answer.body["spec"]["containers"]
        assert gate in spec["schedulingGates"]
    finally:
        ground.withdraw()


@pytest.mark.bypass("E24")
def test_class_e24_around_the_scheduler(ground: Ground) -> None:
    """No preset node, no binding of a gated pod, no release but the operator's."""
    node = ground.tenant.cluster.get("nodes")["items"][0]["metadata"]["name"]
    denied(ground.try_pod(lambda spec: spec.update(nodeName=node)), "NodeNamePreset")

    def pending() -> bool:
        answer = ground.try_pod(lambda s: s.update(schedulingGates=[{"name": "example.com/hold"}]))
        return answer.accepted

    eventually(pending, "a gated pod", seconds=10)
    pod = ground.path("pods", "attack")
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "attack", "namespace": ground.namespace},
        "target": target,
    }
    try:
        denied(ground.attacker.request("POST", pod + "/binding", binding))
        denied(ground.attacker.request("POST", ground.path("bindings"), binding))
        assert not ground.pod("attack")["spec"].get("nodeName")

        # The operator releases it soon: the patch applies to a pod that is gated yet, or to none.
        def refused() -> bool:
            ground.withdraw()
            eventually(pending, "a gated pod", seconds=10)
            gates = ground.pod("attack")["spec"]["schedulingGates"]
            at = gates.index({"name": names.SCHEDULING_GATE}) if len(gates) > 1 else 1
            ours = f"/spec/schedulingGates/{at}"
            removal = [
                {"op": "test", "path": f"{ours}/name", "value": names.SCHEDULING_GATE},
                {"op": "remove", "path": ours},
            ]
            return "SchedulingGateHeld" in denied(ground.patch(pod, removal, JSON_PATCH))

        eventually(refused, "a release before the operator's", seconds=30)
    finally:
        ground.withdraw()


@pytest.mark.bypass("E17")
def test_class_e17_caches(ground: Ground) -> None:
    """A yes is forgotten when the policy tightens, a no when it is corrected."""
    tenant = ground.tenant
    query = ground.path("pods") + "?dryRun=All"

    def asked() -> str:
        document = tenant.pod("attack", model="cached")
        return ground.attacker.request("POST", query, document).message

    ground.put(tenant.attested("cached"))
    tenant.certified("cached")
    assert asked() == asked() == ""
    extra: Document = {
        "apiVersion": names.API_VERSION,
        "kind": "SafetyPolicy",
        "metadata": {"name": "cached", "namespace": ground.namespace},
        "spec": {
            "selector": {"matchLabels": {names.MODEL_LABEL: "cached"}},
            "owners": tenant.policy()["spec"]["owners"],
            "model": {"signers": signers(signer())},
        },
    }
    try:
        ground.put(extra)
        began = time.monotonic()
        eventually(lambda: "SignerNotTrusted" in asked(), "the yes is forgotten", seconds=10)
        extra["spec"] = extra["spec"] | {"model": {"signers": signers(tenant.owner)}}
        ground.put(extra)
        eventually(lambda: asked() == "", "the no is forgotten", seconds=20)
        assert time.monotonic() - began < 30
    finally:
        tenant.kubectl("delete", "safetypolicy", "cached")


@pytest.mark.bypass("E28")
def test_class_e28_dry_run(ground: Ground) -> None:
    """A dry run is judged and leaves nothing: no pod, no incident, no status."""
    path = ground.path("pods") + "?dryRun=All"
    incidents = ground.tenant.get("safetyincidents")["items"]
    version = ground.model("demo")["metadata"]["resourceVersion"]
    for _ in range(3):
        good = ground.attacker.request("POST", path, ground.tenant.pod("attack"))
        assert good.body["spec"]["schedulingGates"] == [{"name": names.SCHEDULING_GATE}]
        bad = ground.tenant.pod("attack", model="nobody")
        denied(ground.attacker.request("POST", path, bad), "AttestedModelNotFound")
    pod = ground.path("pods", "demo") + "?dryRun=All"
    denied(ground.patch(pod, image(), JSON_PATCH), *GUARDED)
    assert "attack" not in {p["metadata"]["name"] for p in ground.tenant.get("pods")["items"]}
    assert ground.tenant.get("safetyincidents")["items"] == incidents
    assert ground.model("demo")["metadata"]["resourceVersion"] == version


@pytest.mark.bypass("E29")
def test_class_e29_node_objects_and_stale_objects(ground: Ground) -> None:
    """A node's labels, set by its kubelet, make no pod pass."""
    node = ground.tenant.cluster.get("nodes")["items"][0]["metadata"]
    labels = {"quorate.dev/mode": "audit", "quorate.dev/verified": "true", "example.com/x": "y"}
    kubelet = {"user": f"system:node:{node['name']}", "groups": ("system:nodes",)}
    path = f"/api/v1/nodes/{node['name']}"
    reserved = {"metadata": {"labels": {"node-restriction.kubernetes.io/quorate": "true"}}}

    def as_node(patch: Document) -> str:
        return ground.admin.request(
            "PATCH",
            path,
            patch,
            content_type=MERGE_PATCH,
            **kubelet,  # type: ignore[arg-type]
        ).message

    try:
        as_node({"metadata": {"labels": labels}})
        assert "is not allowed to" in as_node(reserved)
        selector = {"nodeSelector": {"kubernetes.io/hostname": node["name"]}}
        answer = ground.try_pod(lambda spec: spec.update(selector), model="nobody")
        denied(answer, "AttestedModelNotFound")
    finally:
        ground.admin.request(
            "PATCH",
            path,
            {"metadata": {"labels": dict.fromkeys(labels)}},
            content_type=MERGE_PATCH,
        )


@pytest.mark.bypass("E31")
def test_class_e31_other_paths_of_the_api(ground: Ground) -> None:
    """Apply and replace are creations too; matching is Equivalent; deleting is never blocked."""
    document = ground.tenant.pod("attack", model="nobody")
    path = ground.path("pods", "attack")
    applied = ground.patch(f"{path}?fieldManager=attack&force=true", document, APPLY)
    denied(applied, "AttestedModelNotFound")
    denied(ground.attacker.request("PUT", path, document))
    evil = ground.tenant.pod("demo", model="demo")
    evil["spec"]["containers"][0]["image"] = OTHER
    demo = ground.path("pods", "demo") + "?fieldManager=attack&force=true"
    denied(ground.patch(demo, evil, APPLY))
    for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        for entry in ground.tenant.cluster.get(kind, "quorate")["webhooks"]:
            assert entry["matchPolicy"] == "Equivalent"
            assert all("DELETE" not in rule["operations"] for rule in entry["rules"])
    hold = ground.try_pod(lambda s: s.update(schedulingGates=[{"name": "example.com/hold"}]))
    assert hold.message == ""
    assert ground.attacker.request("DELETE", path + "?gracePeriodSeconds=0").accepted
