"""A namespace with a server on every node, made once for all tests of this folder."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.kubectl import ROOT, Kubectl, cluster_status
from tools.cluster.loading import load_images
from tools.cluster.selection import select_provider
from tools.images.build import build_containerfile, build_model

PORT = 8080
MODEL_BYTES = secrets.token_bytes(1024)


@dataclass(frozen=True)
class Playground:
    """The namespace, the nodes' names and the references of the images."""

    kubectl: Kubectl
    nodes: list[str]
    image: str
    model: str


def server_pod(name: str, node: str, image: str, model: str) -> dict[str, Any]:
    """A pod on a named node that serves its own name by HTTP and mounts a model image."""
    code = f"import os,http.server as h;os.chdir('/tmp');open('index.html','w').write('{name}');"
    code += f"print('serving',flush=True);h.test(h.SimpleHTTPRequestHandler,port={PORT})"
    mount = {"name": "model", "mountPath": "/model", "readOnly": True}
    container: dict[str, Any] = {
        "name": "server",
        "image": image,
        "args": ["-c", code],
        "volumeMounts": [mount],
    }
    container["readinessProbe"] = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [{"name": "model", "image": {"reference": model}}],
        },
    }


def service_name(server: str) -> str:
    """The name of a server's Service; a pod's own name would be answered by its /etc/hosts."""
    return f"of-{server}"


def service(name: str) -> dict[str, Any]:
    """The Service of a server."""
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name(name)},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def server_name(node: str) -> str:
    """The name of the server on a node."""
    return f"server-{node}"


def build_images(folder: Path) -> tuple[str, str]:
    """Build and load the images of the smoke test; return their references."""
    (folder / "deep").mkdir()
    (folder / "weights.bin").write_bytes(MODEL_BYTES)
    (folder / "deep" / "config.json").write_text("{}")
    image = build_containerfile(ROOT, "smoke", Path(__file__).parent / "Containerfile")
    model = build_model(ROOT, folder, "smoke-model")
    load_images(select_provider(), ["smoke", "smoke-model"])
    return image.reference, model.reference


@pytest.fixture(scope="session")
def playground() -> Iterator[Playground]:
    """Servers and Services that are ready; the namespace is deleted at the end."""
    status = cluster_status()
    assert status["up"], f"bring the cluster up first (make up): {status['problems']}"
    admin = Kubectl(status["kubectl"], status["kubeconfig"], "default")
    names = [item["metadata"]["name"] for item in admin.get("nodes")["items"]]
    schedulable = [name for name in names if not name.endswith("control-plane")]
    with tempfile.TemporaryDirectory() as folder:
        image, model = build_images(Path(folder))
    namespace = f"smoke-{secrets.token_hex(4)}"
    kubectl = replace(admin, namespace=namespace)
    admin("create", "namespace", namespace)
    try:
        servers = [server_name(node) for node in schedulable]
        pods = [server_pod(server_name(node), node, image, model) for node in schedulable]
        kubectl.apply(*pods, *(service(name) for name in servers))
        ready = [f"pod/{name}" for name in servers]
        kubectl("wait", "--for=condition=Ready", "--timeout=60s", *ready)
        yield Playground(kubectl, schedulable, image, model)
    finally:
        admin("delete", "namespace", namespace, "--wait=false")
