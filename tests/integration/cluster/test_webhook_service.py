"""The API server calls webhooks by their Service, on whatever node they run."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.conftest import Playground
from tests.integration.cluster.kubectl import Kubectl

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.requirement("build 2: the API server reaches webhook Services on every node"),
]

SERVER = """\
import http.server, json, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"message": "refused by the webhook on NODE"}
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": status}
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server = http.server.ThreadingHTTPServer(("", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host and its key."""
    key, cert = folder / "tls.key", folder / "tls.crt"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += [
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=webhook",
        "-addext",
        f"subjectAltName=DNS:{host}",
    ]
    subprocess.run([*argv, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def objects(playground: Playground, node: str, name: str) -> list[dict[str, Any]]:
    """The webhook's pod on a node, and its Service."""
    container = {
        "name": "webhook",
        "image": playground.image,
        "args": ["-c", SERVER.replace("NODE", node)],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
    }
    volume = {"name": "tls", "secret": {"secretName": name}}
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [volume],
    }
    meta = {"name": name, "labels": {"app": name}}
    port = {"port": 443, "targetPort": 8443}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": name}, "ports": [port]},
        },
    ]


def configuration(namespace: str, name: str, ca: Path) -> dict[str, Any]:
    """Every ConfigMap created in the namespace is asked about."""
    service = {"namespace": namespace, "name": name}
    bundle = base64.b64encode(ca.read_bytes()).decode()
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"{namespace}-{name}"},
        "webhooks": [
            {
                "name": "smoke.example.test",
                "clientConfig": {"service": service, "caBundle": bundle},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "objectSelector": {"matchLabels": {"judged": "yes"}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["configmaps"],
                    }
                ],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
            }
        ],
    }


@pytest.fixture
def webhook_names(playground: Playground) -> Iterator[dict[str, str]]:
    """A name for each node's webhook; the configurations go when the test ends."""
    names = {node: f"webhook-{index}" for index, node in enumerate(playground.nodes)}
    yield names
    for name in names.values():
        configured = f"{playground.kubectl.namespace}-{name}"
        words = ["validatingwebhookconfiguration", configured, "--ignore-not-found"]
        playground.kubectl("delete", *words)


def refusal(kubectl: Kubectl, wanted: str) -> str:
    """What the API server says about a ConfigMap, once it knows the configuration."""
    metadata = {"generateName": "judged-", "labels": {"judged": "yes"}}
    document = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    said = ""
    for _ in range(40):
        done = kubectl.run("create", "--filename=-", stdin=document)
        said = done.stderr
        if wanted in said:
            break
        time.sleep(0.25)
    return said


def test_a_webhook_on_every_node_is_asked(
    playground: Playground, webhook_names: dict[str, str], tmp_path: Path
) -> None:
    """The refusal carries the words of the webhook on that node."""
    kubectl = playground.kubectl
    for node, name in webhook_names.items():
        folder = tmp_path / name
        folder.mkdir()
        cert, key = certificate(folder, f"{name}.{kubectl.namespace}.svc")
        kubectl("create", "secret", "tls", name, f"--cert={cert}", f"--key={key}")
        kubectl.apply(*objects(playground, node, name))
        kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")
        kubectl.apply(configuration(kubectl.namespace, name, cert))
        wanted = f"refused by the webhook on {node}"
        assert wanted in refusal(kubectl, wanted)
        kubectl("delete", "validatingwebhookconfiguration", f"{kubectl.namespace}-{name}")
