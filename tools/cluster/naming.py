"""Names derived from the checkout, so that clusters of two checkouts never clash."""

from __future__ import annotations

import hashlib
from pathlib import Path

REGISTRY_HOST = "registry.quorate.test"
REGISTRY_PORT = 5000
REGISTRY_NAME = f"{REGISTRY_HOST}:{REGISTRY_PORT}"
IMAGE_PREFIX = f"{REGISTRY_NAME}/quorate"


def checkout_root() -> Path:
    """The root of the checkout that this file belongs to."""
    return Path(__file__).resolve().parents[2]


def checkout_hash(checkout: Path) -> str:
    """Eight hex digits that stand for a checkout's absolute path."""
    return hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:8]


def cluster_name(checkout: Path) -> str:
    """The cluster's name: state folder, cgroup and kubeconfig context carry it."""
    return f"quorate-{checkout_hash(checkout)}"


def host_interface(name: str) -> str:
    """The cluster's only network interface on the host (15 characters at most)."""
    return f"qr-{name.rpartition('-')[2]}"


def node_name(index: int) -> str:
    """The name of the node with this index, counted from 1."""
    return f"node-{index}"
