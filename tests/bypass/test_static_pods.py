"""Static pods: the kubelet asks nobody, so they are found, not refused."""

import time

import pytest

from quorate import alerts
from tests.bypass.ground import Ground
from tests.e2e.tenant import eventually

FOUND_SECONDS = 30.0


@pytest.mark.skipif(
    "StaticPodFound" not in list(alerts.Rule), reason="waits for the operator's escape scan"
)
@pytest.mark.bypass("E25")
def test_class_e25_static_pods_are_found(ground: Ground) -> None:
    """A mirror that a node shows in the enforced namespace is an incident within 30 seconds.

    The node is an object without a kubelet: a real one would take away a mirror not its own.
    """
    name = f"{ground.namespace}-node"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    uid = ground.admin.request("POST", "/api/v1/nodes", node).body["metadata"]["uid"]
    pod = ground.tenant.pod(f"static-{name}")
    pod["spec"] |= {"nodeName": name, "automountServiceAccountToken": False}
    pod["spec"]["volumes"] = [v for v in pod["spec"]["volumes"] if v["name"] != "model"]
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    pod["spec"]["containers"][0]["volumeMounts"] = [m for m in mounts if m["name"] != "model"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid, "controller": True}
    pod["metadata"] |= {
        "annotations": {"kubernetes.io/config.mirror": "0" * 32,
                        "kubernetes.io/config.source": "file"},
        "ownerReferences": [owner],
    }  # fmt: skip
    try:
        made = ground.admin.request(
            "POST",
            ground.path("pods"),
            pod,
            user=f"system:node:{name}",
            groups=("system:nodes", "system:authenticated"),
        )
        assert made.message == "", "the mirror is let in, or nobody would see the static pod"
        began = time.monotonic()

        def found() -> bool:
            incidents = ground.tenant.get("safetyincidents")["items"]
            about = {(i["spec"]["rule"], i["spec"]["subject"]["name"]) for i in incidents}
            return ("StaticPodFound", pod["metadata"]["name"]) in about

        eventually(found, "the static pod is an incident", seconds=FOUND_SECONDS, pause=0.2)
        assert time.monotonic() - began < FOUND_SECONDS
    finally:
        path = ground.path("pods", pod["metadata"]["name"])
        ground.admin.request("DELETE", path + "?gracePeriodSeconds=0")
        ground.admin.request("DELETE", f"/api/v1/nodes/{name}")
