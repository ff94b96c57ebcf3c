"""Volumes for claims: a few folders on every node, wiped and offered again when they are released.

The default storage class has the name it has in kind (``standard``), and like there a volume is
bound to the node of the first pod that uses it.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tools.cluster.errors import ClusterError
from tools.cluster.local.api import ApiClient

STORAGE_CLASS = "standard"
_PER_NODE = 8
_DELETE_SECONDS = 20.0
_POLL_SECONDS = 0.1
_CAPACITY = "2Gi"
_NODE_FOLDER = Path("/var/lib/volumes")
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_VOLUMES = "/api/v1/persistentvolumes"
_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany")


def volume_names(node: str) -> list[str]:
    """The names of a node's volumes."""
    return [f"{node}-volume-{number}" for number in range(1, _PER_NODE + 1)]


def storage_class() -> dict[str, Any]:
    """The default class; a claim waits for the first pod that uses it."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": {"name": STORAGE_CLASS, "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def volume(name: str, node: str) -> dict[str, Any]:
    """A folder of a node as a volume."""
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "metadata": {"name": name},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "capacity": {"storage": _CAPACITY},
            "accessModes": list(_MODES),
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(_NODE_FOLDER / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }


def offer(api: ApiClient, nodes: dict[str, Path]) -> None:
    """Create class and volumes; wipe released ones. ``nodes``: each node's own /var on the host."""
    api.create(_CLASSES, storage_class())
    released = _released(api)
    for node, var in nodes.items():
        for name in volume_names(node):
            folder = var / _NODE_FOLDER.relative_to("/var") / name
            if name in released:
                _delete(api, f"{_VOLUMES}/{name}")
                shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            # Pods run as users that the folder's owner cannot know.
            folder.chmod(0o777)
            api.create(_VOLUMES, volume(name, node))


def _delete(api: ApiClient, path: str) -> None:
    api.delete(path)
    deadline = time.monotonic() + _DELETE_SECONDS
    # A finalizer keeps it for a moment, and creating it again would find the old one.
    while api.exists(path):
        if time.monotonic() > deadline:
            raise ClusterError(f"{path} is still there {_DELETE_SECONDS:g} s after its deletion")
        time.sleep(_POLL_SECONDS)


def _released(api: ApiClient) -> set[str]:
    status, text = api.request("GET", _VOLUMES)
    if status != 200:
        raise ClusterError(f"listing volumes: HTTP {status} {text[:500]!r}")
    items = json.loads(text)["items"]
    return {
        item["metadata"]["name"]
        for item in items
        if item.get("status", {}).get("phase") == "Released"
    }
