"""Where the attacks happen: an enforced namespace, a model that is served, and its tenant.

The attacker is a real ServiceAccount with every right on everything inside its namespace, more than
Kubernetes' own admin role gives, and none outside.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.contract.floor.api import Answer, Api
from tests.e2e.tenant import PORT, Tenant, condition, eventually

__all__ = ["PORT", "Document", "Ground", "denied"]
Document = dict[str, Any]
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
ATTACKER = "attacker"
ATTACK = "attack"
"""Name of the pods that are tried."""


def denied(answer: Answer, *reasons: str) -> str:
    """The request was refused, for one of these reasons; returns what was said."""
    assert not answer.accepted, f"was not refused: {str(answer.body)[:2000]}"
    if reasons:
        said = answer.message
        assert any(reason in said for reason in reasons), f"none of {reasons} in: {said}"
    return answer.message


@dataclass
class Ground:
    """The namespace, as its tenant and as the platform team see it."""

    tenant: Tenant
    meant: set[str] = field(default_factory=set)
    """Pods that may serve."""

    @property
    def namespace(self) -> str:
        """The enforced namespace."""
        return self.tenant.namespace

    @cached_property
    def admin(self) -> Api:
        """The cluster's administrator, who may impersonate."""
        return Api(self.tenant.cluster.kubeconfig)

    @cached_property
    def attacker(self) -> Api:
        """The tenant, by a real token."""
        token = self.tenant.kubectl("create", "token", ATTACKER, "--duration=1h").strip()
        return Api(self.tenant.cluster.kubeconfig, token=token)

    def create(self) -> None:
        """Namespace, policy, the attacker's rights, and a model that is served."""
        self.tenant.create()
        meta = {"name": ATTACKER, "namespace": self.namespace}
        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        api = "rbac.authorization.k8s.io"
        self.tenant.cluster.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": [everything]},
            {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": api, "kind": "Role", "name": ATTACKER},
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        )
        self.serve("demo")

    def serve(self, name: str) -> None:
        """Serve the good model under a name."""
        self.meant.add(name)
        self.tenant.serve(name)

    def remove(self) -> None:
        """Take everything away."""
        self.admin.close()
        self.attacker.close()
        self.tenant.remove()

    def path(self, kind: str, name: str = "", group: str = "") -> str:
        """A path of the API in the namespace."""
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def try_pod(
        self,
        change: Callable[[Document], None] | None = None,
        *,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str] | None = None,
        **pod: Any,
    ) -> Answer:
        """Create a pod as the attacker; ``change`` edits its spec, None takes a label away."""
        document = self.tenant.pod(ATTACK, change=change, **pod)
        for key, value in (labels or {}).items():
            document["metadata"]["labels"].pop(key, None)
            if value is not None:
                document["metadata"]["labels"][key] = value
        if annotations:
            document["metadata"]["annotations"] = dict(annotations)
        return self.attacker.request("POST", self.path("pods"), document)

    def withdraw(self) -> None:
        """Delete the attempted pod, if it is there, and wait until it is gone."""
        path = self.path("pods", ATTACK)
        self.admin.request("DELETE", path + "?gracePeriodSeconds=0")
        eventually(lambda: not self.admin.request("GET", path).accepted, "the pod is gone")

    def patch(
        self, path: str, patch: Any, kind: str = MERGE_PATCH, *, api: Api | None = None
    ) -> Answer:
        """Patch an object, as the attacker unless told otherwise."""
        return (api or self.attacker).request("PATCH", path, patch, content_type=kind)

    def pod(self, name: str = "demo") -> Document:
        """A pod as it is stored."""
        found: Document = self.admin.request("GET", self.path("pods", name)).body
        return found

    def model(self, name: str) -> Document:
        """An AttestedModel as it is stored."""
        path = self.path("attestedmodels", name, "quorate.dev/v1alpha1")
        found: Document = self.admin.request("GET", path).body
        return found

    def put(self, *documents: Document) -> None:
        """Apply documents as the platform team."""
        self.tenant.cluster.apply(*documents)

    def attested(self, name: str, **fields: Any) -> Document:
        """A model as its owner attests it, with other fields in its spec."""
        document = self.tenant.attested(name)
        document["spec"] |= copy.deepcopy(fields)
        return document

    def never_certified(self, cases: Mapping[str, tuple[Document, tuple[str, ...]]]) -> None:
        """Each model is judged, fails for one of its reasons, and its pods are refused for it."""
        self.put(*(document for document, _ in cases.values()))
        wrong = []
        for title, (document, reasons) in cases.items():
            name = document["metadata"]["name"]

            def failed(name: str = name) -> Document | None:
                found = self.model(name)
                states = [condition(found, kind) for kind in ("Signed", "GatesPassed")]
                return found if "False" in states else None

            model = eventually(failed, f"{title}: judged")
            said = self.try_pod(model=name).message
            if not any(reason in said for reason in reasons):
                wrong.append(f"{title}: none of {reasons} in: {said or 'accepted'}")
            if condition(model, "Ready") != "False":
                wrong.append(f"{title}: Ready is {condition(model, 'Ready')}")
        assert not wrong, "\n".join(wrong)

    def answering(self) -> list[str]:
        """Pods besides the meant ones whose containers, apart from ours, run."""
        found = []
        for pod in json.loads(self.tenant.kubectl("get", "pods", "-o", "json"))["items"]:
            status = pod.get("status", {})
            init = [
                s for s in status.get("initContainerStatuses", []) if "quorate" not in s["name"]
            ]
            running = [
                s["name"]
                for s in [*status.get("containerStatuses", []), *init]
                if s.get("started") or "running" in s.get("state", {})
            ]
            if running and pod["metadata"]["name"] not in self.meant:
                found.append(f"{pod['metadata']['name']}: {running}")
        return found
