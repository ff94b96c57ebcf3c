"""A tenant's enforced namespace with its policy, model and pods, for one test."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from quorate.evidence.intoto import Outcome
from quorate.keys import LocalSigner
from quorate.manifest import Manifest
from tests.e2e.artifacts import ModelImage
from tests.fakes.vouching import attested_model, bundle, gate, gate_result, policy, signer, signers
from tools.demo.cluster import Cluster, CommandFailed

PORT = 8000
WAIT_SECONDS = 120.0
Document = dict[str, Any]


def eventually(
    probe: Callable[[], Any], what: str, *, seconds: float = WAIT_SECONDS, pause: float = 0.5
) -> Any:
    """Call ``probe`` until it returns something true; AssertionError naming ``what`` if not."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = probe()
        except CommandFailed as error:
            last = error
        else:
            if last:
                return last
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last: {last}")


@dataclass
class Tenant:
    """One namespace under one cluster-wide policy that selects its pods by label."""

    cluster: Cluster
    namespace: str
    models: dict[str, ModelImage]
    server: dict[str, str]
    owner: LocalSigner = field(default_factory=signer)
    lab: LocalSigner = field(default_factory=signer)

    @property
    def labels(self) -> dict[str, str]:
        """Labels by which the policy selects the pods."""
        return {"e2e": self.namespace}

    def create(self) -> None:
        """Make the namespace and the policy."""
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": self.namespace,
                    "labels": {
                        "quorate.dev/mode": "enforce",
                        "pod-security.kubernetes.io/enforce": "restricted",
                    },
                },
            },
            self.policy(),
        )

    def remove(self) -> None:
        """Delete both; the namespace goes in the background."""
        self.cluster.kubectl("delete", "clustersafetypolicy", self.namespace, "--ignore-not-found")
        self.cluster.kubectl(
            "delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false"
        )

    def policy(self, **model: Any) -> Document:
        """The platform's policy for this namespace; ``model`` overrides its requirements."""
        requirements = {
            "signers": signers(self.owner),
            "gates": [gate(self.lab)],
            "servers": [{"name": "scripted", "digest": self.server["digest"], "kind": "other"}],
            "volumes": [{"name": "tmp", "kind": "emptyDir"}],
        }
        document = policy(
            {
                "model": requirements | model,
                "runtime": {
                    "upstream": {"port": PORT, "probePaths": ["/health"]},
                    "checks": [
                        {"name": "secrets", "action": "deny"},
                        {"name": "pii", "action": "deny"},
                    ],
                },
            },
            name=self.namespace,
            selector={"matchLabels": self.labels},
        )
        del document["metadata"]["uid"], document["metadata"]["generation"]
        return document

    def attested(
        self,
        name: str = "demo",
        *,
        image: str = "good",
        files: Manifest | None = None,
        gates: tuple[str, ...] | None = None,
    ) -> Document:
        """An AttestedModel for one of the packed models, vouched for unless told otherwise."""
        packed = self.models[image]
        meant = files or packed.files
        document = attested_model(
            meant,
            bundles=(bundle(meant, self.owner),),
            gates=(self.gate(meant),) if gates is None else gates,
            name=name,
            namespace=self.namespace,
        )
        document["spec"]["source"]["image"]["reference"] = packed.reference
        del document["metadata"]["uid"], document["metadata"]["generation"]
        return document

    def gate(
        self,
        files: Manifest,
        *,
        by: LocalSigner | None = None,
        result: Outcome = Outcome.PASSED,
        age: timedelta = timedelta(minutes=1),
    ) -> str:
        """A gate result as of now."""
        finished = datetime.now(UTC).replace(microsecond=0) - age
        return gate_result(files, by or self.lab, result=result, finished_at=finished)

    def pod(
        self,
        name: str,
        *,
        model: str = "demo",
        image: str = "good",
        change: Callable[[Document], None] | None = None,
        args: tuple[str, ...] = (),
    ) -> Document:
        """A pod that serves a model with the scripted server; ``change`` edits its spec."""
        document: Document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": self.labels | {"quorate.dev/model": model, "app": name},
            },
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [self.server_container(args)],
                "volumes": [
                    {
                        "name": "model",
                        "image": {
                            "reference": self.models[image].reference,
                            "pullPolicy": "IfNotPresent",
                        },
                    },
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        }
        if change:
            change(document["spec"])
        return document

    def server_container(self, args: tuple[str, ...] = ()) -> Document:
        """The scripted server's container."""
        return {
            "name": "server",
            "image": self.server["reference"],
            "args": list(args) or ["--host", "127.0.0.1", "--port", str(PORT)],
            "ports": [{"name": "http", "containerPort": PORT}],
            "readinessProbe": {
                "httpGet": {"path": "/health", "port": "http"},
                "periodSeconds": 1,
            },
            "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "model", "mountPath": "/models", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }

    def service(self, name: str) -> Document:
        """A Service in front of the pods labelled ``app: name``, by the port's name."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]},
        }

    def workload(self, kind: str, name: str, **spec: Any) -> Document:
        """A Deployment, StatefulSet, DaemonSet or Job whose pods serve the model."""
        pod = self.pod(name)
        template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
        selector = {"selector": {"matchLabels": {"app": name}}} if kind != "Job" else {}
        return {
            "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": selector | {"template": template} | spec,
        }

    def kubectl(self, *arguments: str, **kwargs: Any) -> str:
        """kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, **kwargs)

    def get(self, *arguments: str) -> Any:
        """``kubectl get … -o json`` in this namespace."""
        return self.cluster.get("-n", self.namespace, *arguments)

    def refused(self, document: Document, *, user: str | None = None) -> str:
        """Create the object, which must be refused; returns what the API server said."""
        as_user = ("--as", user) if user else ()
        try:
            created = self.kubectl("create", *as_user, "-f", "-", stdin=json.dumps(document))
        except CommandFailed as error:
            return error.output
        raise AssertionError(f"was not refused: {created}")

    def certified(self, name: str = "demo") -> Document:
        """Wait until the model is Ready; returns it."""

        def ready() -> Document | None:
            model: Document = self.get("attestedmodel", name)
            return model if condition(model, "Ready") == "True" else None

        found: Document = eventually(ready, f"AttestedModel {name} is Ready")
        return found

    def running(self, name: str, *, seconds: float = WAIT_SECONDS) -> Document:
        """Wait until the pod is Ready; returns it."""

        def ready() -> Document | None:
            pod: Document = self.get("pod", name)
            return pod if condition(pod, "Ready") == "True" else None

        try:
            found: Document = eventually(ready, f"pod {name} is Ready", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.kubectl('describe', 'pod', name)}") from None
        return found

    def serve(self, name: str = "demo") -> None:
        """The good model, a pod that serves it, and a Service; waits until it is Ready."""
        self.cluster.apply(self.attested(name))
        self.certified(name)
        self.cluster.apply(self.pod(name, model=name), self.service(name))
        self.running(name)


def condition(document: Document, kind: str) -> str:
    """Status of a condition; empty if there is none."""
    found = document.get("status", {}).get("conditions", [])
    return next((c["status"] for c in found if c["type"] == kind), "")


def edited(document: Document, path: tuple[str | int, ...], value: Any) -> Document:
    """A copy of ``document`` with the node at ``path`` replaced."""
    result = copy.deepcopy(document)
    node: Any = result
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return result
