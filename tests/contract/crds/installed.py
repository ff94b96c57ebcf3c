"""The CRDs in the running cluster, as the chart would put them there."""

import functools
import json
from typing import Any

from quorate.api.v1alpha1 import KINDS
from tools.demo.cluster import Cluster, running_cluster
from tools.gen.crd import crd

_OWNED_BY_HELM = {
    "meta.helm.sh/release-name": "quorate",
    "meta.helm.sh/release-namespace": "quorate-system",
    "helm.sh/resource-policy": "keep",
}
"""So that an installation of the chart, before or after, takes them for its own."""


@functools.cache
def cluster_with_crds() -> Cluster:
    """The running cluster, holding the CRDs of this checkout."""
    cluster = running_cluster()
    documents = [_owned(crd(kind)) for kind in KINDS]
    cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-"),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}),
    )
    names = [f"crd/{document['metadata']['name']}" for document in documents]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    return cluster


def _owned(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document["metadata"]
    metadata["annotations"] = _OWNED_BY_HELM
    metadata["labels"] |= {"app.kubernetes.io/managed-by": "Helm"}
    return document
