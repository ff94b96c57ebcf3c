"""AdmissionReviews as an API server writes them."""

import copy
import json
from typing import Any

Document = dict[str, Any]


def review(
    pod: Document, operation: str = "CREATE", old: Document | None = None, user: str = "tenant"
) -> bytes:
    """A review of a pod, in the API server's order of fields."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    document = {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "operation": operation,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": pod,
            "oldObject": old,
            "dryRun": False,
            "options": {"kind": f"{operation.title()}Options", "apiVersion": "meta.k8s.io/v1"},
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def before_mutate(pod: Document) -> Document:
    """The pod as its owner wrote it: what mutate adds is taken away."""
    bare = copy.deepcopy(pod)
    del bare["spec"]["schedulingGates"], bare["spec"]["initContainers"]
    bare["spec"]["volumes"] = [
        v for v in bare["spec"]["volumes"] if not v["name"].startswith("quorate-")
    ]
    del bare["spec"]["containers"][0]["lifecycle"]
    return bare
