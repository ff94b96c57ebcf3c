"""The webhook as a process of its own, called by a real API server by the chart's rules."""

import base64
import contextlib
import copy
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509

from quorate import names
from tests.bench.webhook.files import write_installation
from tests.bench.webhook.processes import running, wait_ready
from tests.bench.webhook.tls import write_certificate
from tests.contract.webhook.plane import Answer, Api, Plane
from tests.fakes.vouching import attested_model, policy
from tests.unit.admission.pod_builder import API_TOKEN_VOLUME, bare_pod
from tests.unit.admission.world import FILES, FLOOR, World
from tools.gen.webhook_template import webhook_template

Document = dict[str, Any]
MODES = ("enforce", "warn", "audit")
ORDINARY = "ordinary"
"""A namespace that has not opted in."""
SECONDS = 20.0


def eventually(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Wait until it holds; returns what it returned."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in time: {what}")


@dataclass
class Ground:
    """A cluster with a webhook, one namespace a mode, a policy and a certified model."""

    plane: Plane
    api: Api
    directory: Path
    port: int
    health: int
    world: World = field(default_factory=lambda: World(now=datetime.now(UTC)))
    ca_bundle: str = ""

    def namespace(self, mode: str = "enforce") -> str:
        """The namespace of a mode."""
        return f"team-{mode}"

    @contextlib.contextmanager
    def webhook(self, drain_seconds: float = 0.5) -> Iterator[subprocess.Popen[str]]:
        """The process, ready."""
        with self.started(drain_seconds) as process:
            wait_ready(self.health, process)
            yield process

    def started(
        self, drain_seconds: float = 0.5
    ) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """The process, just begun."""
        arguments = [
            *("-m", "quorate_webhook", "--listen", f"127.0.0.1:{self.port}"),
            *("--health", f"127.0.0.1:{self.health}", "--tls-dir", str(self.directory)),
            *("--genesis-dir", str(self.directory)),
            *("--injection", str(self.directory / "injection.json")),
            *("--kubeconfig", str(self.plane.kubeconfig), "--drain-seconds", str(drain_seconds)),
        ]
        return running(arguments)

    def floor(self, **changes: Any) -> Document:
        """The platform policy for the test's pods."""
        return bare(policy(FLOOR | changes, selector={"matchLabels": {"app": "chat"}}))

    def pod(self, change: Callable[[Document], None] | None = None, **metadata: Any) -> Document:
        """A good model pod as its owner writes it."""
        pod = bare_pod()
        name = metadata.pop("name", "sample")
        namespace = metadata.pop("namespace", self.namespace())
        labels = pod["metadata"]["labels"]
        pod["metadata"] = {"name": name, "namespace": namespace, "labels": labels} | metadata
        spec = pod["spec"]
        del spec["tolerations"]
        if change:
            change(pod)
        # The API server mounts its token itself.
        token = API_TOKEN_VOLUME["name"]
        spec["volumes"] = [v for v in spec.get("volumes", []) if v["name"] != token]
        for container in spec["containers"]:
            mounts = container.get("volumeMounts", [])
            container["volumeMounts"] = [m for m in mounts if m["name"] != token]
        return pod | {"apiVersion": "v1", "kind": "Pod"}

    def create(self, pod: Document, *, dry_run: bool = True) -> Answer:
        """Ask the API server to create a pod."""
        query = "?dryRun=All" if dry_run else ""
        namespace = pod["metadata"]["namespace"]
        return self.api.request("POST", f"/api/v1/namespaces/{namespace}/pods{query}", pod)

    def created(self, pod: Document) -> Document:
        """A pod that is there; fails if it was refused."""
        answer = self.create(pod, dry_run=False)
        assert answer.accepted, answer.message
        return answer.body

    def path(self, pod: Document, sub_resource: str = "") -> str:
        """Where a pod is."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        return f"{path}/{sub_resource}" if sub_resource else path

    def read(self, pod: Document) -> Document:
        """The pod as it is now."""
        return self.api.request("GET", self.path(pod)).body

    def patch(
        self,
        pod: Document,
        *operations: Document,
        sub_resource: str = "",
        query: str = "",
        **who: Any,
    ) -> Answer:
        """Change a pod by a JSON patch."""
        kind = "application/json-patch+json"
        path = self.path(pod, sub_resource) + query
        return self.api.request("PATCH", path, list(operations), content_type=kind, **who)

    def delete(self, pod: Document) -> None:
        """Remove a pod at once, finalizers and all."""
        self.patch(pod, {"op": "add", "path": "/metadata/finalizers", "value": []})
        self.api.request("DELETE", f"{self.path(pod)}?gracePeriodSeconds=0")

    def release(self, pod: Document, **who: Any) -> Answer:
        """Remove our gate."""
        return self.patch(pod, {"op": "remove", "path": "/spec/schedulingGates"}, **who)

    def bind(self, pod: Document, *, legacy: bool = False, query: str = "") -> Answer:
        """Bind a pod to a node, as a scheduler does."""
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        bindings = f"/api/v1/namespaces/{metadata['namespace']}/bindings"
        path = bindings if legacy else self.path(pod, "binding")
        return self.api.request("POST", path + query, binding)

    def serial(self) -> int:
        """Serial number of the certificate that is served now."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.port))
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    def put_model(self, certificates: list[Document] | None = None, **status: Any) -> None:
        """The model of the enforced namespace, with this status (by default: certified)."""
        namespace = self.namespace()
        compiled = next(iter(self.world.policies.values()))
        document = bare(attested_model(FILES, namespace=namespace))
        self.plane.apply(document)
        if certificates is None:
            certificates = [self.certificate()]
        found = {
            "observedGeneration": self.model()["metadata"]["generation"],
            "policies": [self.world.report(compiled)],
            "certificates": certificates,
        }
        patch = json.dumps({"status": found | status})
        arguments = ("--subresource=status", "--type=merge", "-p", patch)
        self.plane.kubectl("-n", namespace, "patch", "attestedmodel", "demo", *arguments)

    def model(self) -> Document:
        """The model as it is now."""
        arguments = ("get", "attestedmodel", "demo", "-n", self.namespace(), "-o", "json")
        found: Document = json.loads(self.plane.kubectl(*arguments))
        return found

    def certificate(self, **claims: Any) -> Document:
        """A certificate for the model under the test's policy."""
        compiled = next(iter(self.world.policies.values()))
        claims.setdefault("now", datetime.now(UTC))
        return self.world.certificate(compiled, namespace=self.namespace(), **claims)

    def admitted(self, pod: Document | None = None) -> bool:
        """Whether a good pod is admitted now."""
        return self.create(pod or self.pod()).accepted


def bare(document: Document) -> Document:
    """A document as people apply it: without what the API server writes."""
    document = copy.deepcopy(document)
    for key in ("uid", "generation"):
        document["metadata"].pop(key, None)
    return document


def configurations(ground: Ground) -> list[Document]:
    """The chart's configurations, at the test's address."""
    lines = webhook_template().splitlines(keepends=True)
    text = "".join(line for line in lines if "{{" not in line and line != "  labels:\n")
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        for entry in document["webhooks"]:
            service = entry["clientConfig"].pop("service")
            url = f"https://127.0.0.1:{ground.port}{service['path']}"
            entry["clientConfig"] = {"url": url, "caBundle": ground.ca_bundle}
    return documents


@contextlib.contextmanager
def prepared(directory: Path, plane: Plane) -> Iterator[Ground]:
    """Everything but the process, in a plane whose API server runs."""
    ground = Ground(plane, Api(plane.kubeconfig), directory, _free_port(), _free_port())
    ground.ca_bundle = base64.b64encode(write_certificate(directory).encode()).decode()
    write_installation(directory, ground.world)
    for mode in MODES:
        plane.namespace(ground.namespace(mode), **{names.MODE_LABEL: mode})
    plane.namespace(ORDINARY)
    plane.node("node-1")
    ground.world.put_policy(ground.floor())
    plane.apply(ground.floor())
    ground.put_model()
    plane.apply(*configurations(ground))
    try:
        yield ground
    finally:
        ground.api.close()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
