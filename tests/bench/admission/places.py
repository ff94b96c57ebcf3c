"""Where pods are created: behind our webhook, behind one that does nothing, and behind none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quorate.admission import mutate
from quorate.names import WEBHOOK_SERVICE
from quorate_operator import webhook_tls
from quorate_operator.kinds import SECRET, Key
from tests.e2e.installation import SYSTEM, injection
from tests.e2e.tenant import Tenant
from tools.demo.cluster import Cluster, images

Document = dict[str, Any]
COPIED = ("failurePolicy", "matchPolicy", "sideEffects", "timeoutSeconds")


class Places:
    """Three namespaces; :meth:`remove` takes away what :meth:`create` made."""

    def __init__(self, tenant: Tenant) -> None:
        self.cluster: Cluster = tenant.cluster
        self.enforced = tenant.namespace
        self.noop = f"{tenant.namespace}-noop"
        self.plain = f"{tenant.namespace}-plain"
        self.pod = tenant.pod("bench")

    def create(self) -> None:
        """Make the two other namespaces, and the webhook that does nothing with its replicas."""
        self.cluster.apply(*(_namespace(name) for name in (self.noop, self.plain)))
        authority = webhook_tls.new_authority(datetime.now(UTC))
        self.cluster.apply(*self._server(authority))
        wait = ("rollout", "status", f"deployment/{WEBHOOK_SERVICE}", "--timeout=90s")
        self.cluster.kubectl("-n", self.noop, *wait)
        bundle = webhook_tls.encoded(authority.pem)
        self.cluster.apply(self._configuration("mutating", bundle))
        self.cluster.apply(self._configuration("validating", bundle))

    def remove(self) -> None:
        """Remove configurations first: without their server they would refuse."""
        for kind in ("mutating", "validating"):
            name = f"{kind}webhookconfiguration"
            self.cluster.kubectl("delete", name, self.noop, "--ignore-not-found")
        for namespace in (self.noop, self.plain):
            self.cluster.kubectl(
                "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"
            )

    def _server(self, authority: webhook_tls.Authority) -> list[Document]:
        leaf = webhook_tls.new_leaf(authority, self.noop, datetime.now(UTC), timedelta(days=1))
        key = Key(SECRET.name, self.noop, "tls")
        program = Path(__file__).with_name("noop.py").read_text("utf-8")
        patch = mutate.patch(self.pod, "model", injection(self.cluster))
        replicas = self.cluster.get("deployment", WEBHOOK_SERVICE, *SYSTEM)["spec"]["replicas"]
        labels = {"app": "noop"}
        return [
            webhook_tls.tls_secret(key, leaf.certificate_pem, leaf.key_pem),
            self._object("ConfigMap", data={"noop.py": program, "patch.json": json.dumps(patch)}),
            self._object(
                "Service",
                spec={"selector": labels, "ports": [{"port": 443, "targetPort": 8443}]},
            ),
            self._object(
                "Deployment",
                spec={
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": _server_pod()},
                },
            ),
        ]

    def _object(self, kind: str, **fields: Any) -> Document:
        return {
            "apiVersion": "apps/v1" if kind == "Deployment" else "v1",
            "kind": kind,
            "metadata": {"name": WEBHOOK_SERVICE, "namespace": self.noop},
            **fields,
        }

    def _configuration(self, kind: str, bundle: str) -> Document:
        """Like the installed one's entry for the creation of pods, for the other namespace."""
        installed = self.cluster.get(f"{kind}webhookconfiguration", "quorate")["webhooks"][0]
        path = "/v1/mutate" if kind == "mutating" else "/v1/validate"
        service = {"name": WEBHOOK_SERVICE, "namespace": self.noop, "port": 443, "path": path}
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        entry = {name: installed[name] for name in COPIED} | {
            "name": f"{kind}.bench.quorate.dev",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": service, "caBundle": bundle},
            "rules": [rule | {"operations": ["CREATE"], "scope": "Namespaced"}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.noop}},
            # Its own replicas are not its affair.
            "objectSelector": {"matchExpressions": [{"key": "e2e", "operator": "Exists"}]},
        }
        if kind == "mutating":
            entry["reinvocationPolicy"] = installed["reinvocationPolicy"]
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind.title()}WebhookConfiguration",
            "metadata": {"name": self.noop},
            "webhooks": [entry],
        }


def _namespace(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _server_pod() -> Document:
    container = {
        "name": "noop",
        "image": images()["webhook"]["reference"],
        "command": ["python3", "-P", "/etc/noop/noop.py", "/etc/noop", "/etc/tls"],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [
            {"name": "program", "mountPath": "/etc/noop"},
            {"name": "tls", "mountPath": "/etc/tls"},
        ],
    }
    return {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "volumes": [
            {"name": "program", "configMap": {"name": WEBHOOK_SERVICE}},
            {"name": "tls", "secret": {"secretName": "tls"}},
        ],
    }
