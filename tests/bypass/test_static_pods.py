"""Static pods: the kubelet asks nobody, so they are found, not refused."""

import json
import sys
import time
from typing import Any

import pytest

from tests.bypass.ground import Ground
from tests.e2e.tenant import eventually
from tools.demo.cluster import status

FOUND_SECONDS = 30.0
Document = dict[str, Any]


def on_node(ground: Ground, node: str, name: str, manifest: Document | None) -> None:
    """Put a manifest into the kubelet's folder, or take it away, as root on the node does."""
    command = (sys.executable, "-m", "tools.cluster", "static-pod", node, name)
    if manifest is None:
        ground.tenant.cluster.run(*command, "--remove")
    else:
        ground.tenant.cluster.run(*command, stdin=json.dumps(manifest))


def without_model(pod: Document) -> Document:
    """The pod without what a static pod cannot have, and with a server that starts all the same."""
    spec = pod["spec"]
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] != "model"]
    server = spec["containers"][0]
    server["volumeMounts"] = [m for m in server["volumeMounts"] if m["name"] != "model"]
    spec["automountServiceAccountToken"] = False
    return pod


@pytest.mark.bypass("E25")
def test_class_e25_static_pods_are_found(ground: Ground) -> None:
    """A manifest on a node: a real kubelet runs it, asking nobody, and within 30 seconds of its
    mirror it is an incident that names the node. It goes with the manifest, and not before."""
    node = status()["nodes"][-1]
    shown = f"static-{node}"
    path = ground.path("pods", shown)
    try:
        on_node(ground, node, "static", without_model(ground.tenant.pod("static")))
        eventually(lambda: ground.admin.request("GET", path).accepted, "its mirror", pause=0.1)
        began = time.monotonic()

        def found() -> Document | None:
            incidents: list[Document] = ground.tenant.get("safetyincidents")["items"]
            about = {(i["spec"]["rule"], i["spec"]["subject"]["name"]): i for i in incidents}
            return about.get(("StaticPodFound", shown))

        incident = eventually(found, "the incident", seconds=FOUND_SECONDS, pause=0.2)
        assert time.monotonic() - began < FOUND_SECONDS
        assert node in incident["spec"]["summary"]
        running = eventually(lambda: _phase(ground, shown) == "Running", "the kubelet runs it")
        assert running
        # Deleting the mirror ends nothing: the kubelet shows it again.
        ground.admin.request("DELETE", path + "?gracePeriodSeconds=0")
        eventually(lambda: ground.admin.request("GET", path).accepted, "the mirror again")
    finally:
        on_node(ground, node, "static", None)
        eventually(lambda: not ground.admin.request("GET", path).accepted, "it is gone")


def _phase(ground: Ground, name: str) -> str:
    return str(ground.pod(name).get("status", {}).get("phase", ""))
