"""Objects the cluster itself needs: what CoreDNS may read."""

from __future__ import annotations

from tools.cluster.local.api import ApiClient

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NAME = "system:coredns"


def create_objects(api: ApiClient) -> None:
    """Create them; harmless when they are there."""
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
    ]
    api.create(f"{_RBAC}/clusterroles", {"metadata": {"name": _NAME}, "rules": rules})
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": _NAME},
        "subjects": [{"apiGroup": group, "kind": "User", "name": _NAME}],
    }
    api.create(f"{_RBAC}/clusterrolebindings", binding)
