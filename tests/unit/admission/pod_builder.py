"""Good pods, as the API server shows them to a webhook, and ways to spoil them."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quorate import names
from quorate.admission import mutate
from quorate.admission.snapshot import Snapshot
from tests.fakes.vouching import EXEMPT_DIGEST, FETCHER_DIGEST, MODEL_IMAGE, SERVER_DIGEST

Document = dict[str, Any]
Change = Callable[[Document], None]
PORT = 8000
SERVER_IMAGE = f"registry.quorate.test:5000/server@{SERVER_DIGEST}"
FETCHER_IMAGE = f"registry.quorate.test:5000/fetcher@{FETCHER_DIGEST}"
EXEMPT_IMAGE = f"registry.quorate.test:5000/batch@{EXEMPT_DIGEST}"
API_TOKEN_VOLUME: Document = {
    "name": "kube-api-access-x7x2q",
    "projected": {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {
                "downwardAPI": {
                    "items": [
                        {
                            "path": "namespace",
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                        }
                    ]
                }
            },
        ],
    },
}


def server_container() -> Document:
    """A model server's container, with the API server's defaults."""
    return {
        "name": "server",
        "image": SERVER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--model", "/models", "--host", "127.0.0.1", "--port", str(PORT)],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 2,
            "timeoutSeconds": 1,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "model", "mountPath": "/models", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
            {
                "name": API_TOKEN_VOLUME["name"],
                "mountPath": names.API_TOKEN_PATH,
                "readOnly": True,
            },
        ],
    }


def bare_pod() -> Document:
    """A model pod as its owner wrote it, defaulted, before mutate."""
    return copy.deepcopy(
        {
            "metadata": {
                "name": "chat-5d4c-x1",
                "namespace": "team-a",
                "uid": "11111111-2222-3333-4444-555555555555",
                "labels": {"app": "chat", names.MODEL_LABEL: "demo"},
            },
            "spec": {
                "containers": [server_container()],
                "volumes": [
                    {
                        "name": "model",
                        "image": {"reference": MODEL_IMAGE, "pullPolicy": "IfNotPresent"},
                    },
                    {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
                    API_TOKEN_VOLUME,
                ],
                "dnsPolicy": "ClusterFirst",
                "enableServiceLinks": True,
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "serviceAccountName": "default",
                "terminationGracePeriodSeconds": 30,
                "tolerations": [
                    {
                        "key": "node.kubernetes.io/not-ready",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 300,
                    }
                ],
            },
        }
    )


@dataclass
class PodBuilder:
    """Builds a pod: ``before`` changes it ahead of mutate, ``after`` behind it."""

    snapshot: Snapshot
    before: list[Change] = field(default_factory=list)
    after: list[Change] = field(default_factory=list)

    def written(self, change: Change) -> "PodBuilder":
        """Change what its owner wrote."""
        return PodBuilder(self.snapshot, [*self.before, change], self.after)

    def tampered(self, change: Change) -> "PodBuilder":
        """Change the pod after the injection, as another webhook or a hand would."""
        return PodBuilder(self.snapshot, self.before, [*self.after, change])

    def released(self) -> "PodBuilder":
        """Without our gate: verified, waiting for a node or running."""
        return self.tampered(ungate)

    def bare(self) -> Document:
        """The pod before mutate."""
        pod = bare_pod()
        for change in self.before:
            change(pod)
        return pod

    def build(self) -> Document:
        """The pod as validate sees it."""
        pod = self.bare()
        pod = copy.deepcopy(mutate.apply(pod, mutate.complete(pod, self.snapshot)))
        for change in self.after:
            change(pod)
        return pod


def ungate(pod: Document) -> None:
    """Remove our scheduling gate."""
    gates = [g for g in pod["spec"]["schedulingGates"] if g["name"] != names.SCHEDULING_GATE]
    pod["spec"]["schedulingGates"] = gates
    if not gates:
        del pod["spec"]["schedulingGates"]


def exempt_pod() -> Document:
    """A pod whose only image is on the platform's list."""
    pod = bare_pod()
    del pod["metadata"]["labels"][names.MODEL_LABEL]
    pod["spec"]["containers"] = [{"name": "batch", "image": EXEMPT_IMAGE}]
    pod["spec"]["volumes"] = []
    return pod
