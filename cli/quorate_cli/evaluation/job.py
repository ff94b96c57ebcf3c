"""The objects that run a suite in a cluster, each with the least it needs. Pure.

One pod, two containers. ``evaluate`` runs the suite, which may be foreign code: it has neither key
nor token. ``publish`` runs after it and no suite: it holds the signing key and a token that may
patch one ConfigMap. The pod reaches the endpoint, DNS and the API server's addresses, and nobody
reaches it.
"""

from dataclasses import dataclass
from typing import Any, Final

from quorate import names

Json = dict[str, Any]
USER: Final = 65532
WORK: Final = "/run/quorate-gate"
REPORT: Final = f"{WORK}/report.json"
KEYS: Final = "/var/run/quorate-key"
API_KEYS: Final = "/var/run/quorate-api-key"
TOKEN_SECONDS: Final = 3600
PUBLISH_SECONDS: Final = 300
KEPT_SECONDS: Final = 24 * 3600
RETRIES: Final = 2
LABEL: Final = f"{names.GROUP}/gate-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Where the endpoint is, as a NetworkPolicy can say it: pods of a namespace, or addresses."""

    port: int
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    cidr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to run, where, and how often (``schedule``; empty: once)."""

    name: str
    namespace: str
    model_namespace: str
    config_map: str
    config_key: str
    image: str
    run_arguments: tuple[str, ...]
    manifest_digest: str
    deadline_seconds: int
    key_secret: str
    api_key_secret: str = ""
    runtime_class: str = ""
    schedule: str = ""
    peer: Peer
    api_servers: tuple[tuple[str, int], ...]


def objects(plan: Plan) -> list[Json]:
    """All objects, in an order in which they can be applied."""
    return [
        _object("v1", "ServiceAccount", plan, plan.namespace)
        | {"automountServiceAccountToken": False},
        _object("v1", "ConfigMap", plan, plan.model_namespace, plan.config_map),
        *_right(plan, "writer", "patch", plan.name, plan.namespace),
        *_right(plan, "reader", "get", names.OPERATOR_ACCOUNT, names.NAMESPACE),
        _network_policy(plan),
        _workload(plan),
    ]


def _object(version: str, kind: str, plan: Plan, namespace: str, name: str = "") -> Json:
    metadata = {"name": name or plan.name, "namespace": namespace, "labels": {LABEL: plan.name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _right(plan: Plan, who: str, verb: str, account: str, namespace: str) -> list[Json]:
    group, name = "rbac.authorization.k8s.io", f"{plan.name}-{who}"
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [plan.config_map],
        "verbs": [verb],
    }
    role = _object(f"{group}/v1", "Role", plan, plan.model_namespace, name) | {"rules": [rule]}
    binding = _object(f"{group}/v1", "RoleBinding", plan, plan.model_namespace, name) | {
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    return [role, binding]


def _network_policy(plan: Plan) -> Json:
    dns = {
        "to": [
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                },
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": [{"protocol": kind, "port": 53} for kind in ("UDP", "TCP")],
    }
    endpoint = {
        "to": [_peer(plan.peer)],
        "ports": [{"protocol": "TCP", "port": plan.peer.port}],
    }
    servers = [
        {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"protocol": "TCP", "port": port}]}
        for cidr, port in plan.api_servers
    ]
    return _object("networking.k8s.io/v1", "NetworkPolicy", plan, plan.namespace) | {
        "spec": {
            "podSelector": {"matchLabels": {LABEL: plan.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [dns, endpoint, *servers],
        }
    }


def _peer(peer: Peer) -> Json:
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}},
        "podSelector": {"matchLabels": dict(peer.labels)},
    }


def _workload(plan: Plan) -> Json:
    job = {
        "backoffLimit": RETRIES,
        "activeDeadlineSeconds": plan.deadline_seconds * (RETRIES + 1) + PUBLISH_SECONDS,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": {LABEL: plan.name}}, "spec": _pod(plan)},
    }
    if not plan.schedule:
        return _object("batch/v1", "Job", plan, plan.namespace) | {"spec": job}
    return _object("batch/v1", "CronJob", plan, plan.namespace) | {
        "spec": {
            "schedule": plan.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": job},
        }
    }


def _pod(plan: Plan) -> Json:
    evaluate = ["gate", "run", *plan.run_arguments, "--unsigned", "--report", REPORT]
    if plan.api_key_secret:
        evaluate += ["--api-key-file", f"{API_KEYS}/key"]
    publish = ["gate", "publish", "--report", REPORT, "--key", f"{KEYS}/key"]
    publish += ["--manifest-digest", plan.manifest_digest, "--namespace", plan.model_namespace]
    publish += ["--config-map", f"{plan.config_map}/{plan.config_key}"]
    api_key = [_mount("api-key", API_KEYS)] if plan.api_key_secret else []
    return {
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        **({"runtimeClassName": plan.runtime_class} if plan.runtime_class else {}),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            _container(plan, "evaluate", evaluate, [_mount("work", WORK, writable=True), *api_key])
        ],
        "containers": [
            _container(
                plan,
                "publish",
                publish,
                [
                    _mount("work", WORK),
                    _mount("key", KEYS),
                    _mount("token", names.API_TOKEN_PATH),
                ],
            )
        ],
        "volumes": _volumes(plan),
    }


def _container(plan: Plan, name: str, arguments: list[str], mounts: list[Json]) -> Json:
    return {
        "name": name,
        "image": plan.image,
        "args": arguments,
        # The Kubernetes client looks for a kubeconfig there; this user has no home of its own.
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - a path in the container
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _mount(name: str, path: str, *, writable: bool = False) -> Json:
    return {"name": name, "mountPath": path} | ({} if writable else {"readOnly": True})


def _volumes(plan: Plan) -> list[Json]:
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}}
    authority = {
        "configMap": {
            "name": "kube-root-ca.crt",
            "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }
    }
    namespace = {
        "downwardAPI": {
            "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
        }
    }
    volumes: list[Json] = [
        {"name": "work", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "key", "secret": {"secretName": plan.key_secret, "defaultMode": 0o440}},
        {"name": "token", "projected": {"sources": [token, authority, namespace]}},
    ]
    if plan.api_key_secret:
        secret = {"secretName": plan.api_key_secret, "defaultMode": 0o440}
        volumes.append({"name": "api-key", "secret": secret})
    return volumes
