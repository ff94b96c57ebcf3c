"""AdmissionReviews around pods, and answers read back."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quorate.admission.injection import Pod
from quorate_webhook import review
from tests.fakes.vouching import NOW
from tests.unit.admission.world import World as Cluster

Document = dict[str, Any]
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
TENANT = "system:serviceaccount:team-a:editor"


class NoPods:
    """There are none."""

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        return None


@dataclass
class SomePods:
    """These pods."""

    pods: dict[tuple[str, str], Pod] = field(default_factory=dict)

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        pod = self.pods.get((namespace, name))
        return pod if pod is not None and uid in ("", pod["metadata"]["uid"]) else None


def request(
    pod: Document | None,
    operation: str = "CREATE",
    *,
    resource: str = "pods",
    sub_resource: str = "",
    old: Document | None = None,
    user: str = TENANT,
    **fields: Any,
) -> Document:
    """A review, in the API server's order of fields."""
    gvr = {"group": "", "version": "v1", "resource": resource}
    body = {
        "uid": UID,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": gvr,
        **({"subResource": sub_resource} if sub_resource else {}),
        "requestResource": gvr,
        "name": (pod or {}).get("metadata", {}).get("name", ""),
        "namespace": (pod or {}).get("metadata", {}).get("namespace", "team-a"),
        "operation": operation,
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": pod,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": body | fields,
    }


def binding(name: str = "chat-5d4c-x1", uid: str = "", **metadata: Any) -> Document:
    """A binding of a pod to a node."""
    return {
        "metadata": {"name": name, "namespace": "team-a", "uid": uid} | metadata,
        "target": {"kind": "Node", "name": "node-1"},
    }


def encode(document: Any) -> bytes:
    """JSON as Go writes it."""
    return json.dumps(document, separators=(",", ":")).encode()


def response(
    cluster: Cluster,
    document: Any,
    path: str = review.VALIDATE,
    *,
    pods: review.PodLookup | None = None,
    bound: review.PodLookup | None = None,
    not_ready: str = "",
    now: datetime = NOW,
) -> Document:
    """The response to a review; checks that it is one."""
    world = review.World(cluster.snapshot, pods or NoPods(), bound or NoPods(), not_ready)
    body = document if isinstance(document, bytes) else encode(document)
    answer = json.loads(review.handle(path, body, world, now))
    assert set(answer) == {"apiVersion", "kind", "response"}
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: Document = answer["response"]
    assert isinstance(found["allowed"], bool)
    if not found["allowed"]:
        assert found["status"]["code"] == 403
        assert found["status"]["reason"] == "Forbidden"
        assert found["status"]["message"]
    return found


def message(found: Document) -> str:
    """Why it was refused; empty if it was not."""
    text: str = "" if found["allowed"] else found["status"]["message"]
    return text
