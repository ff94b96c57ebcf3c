"""The interface of the cluster tool, whatever runs behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

DEFAULT_NODES = 2


@dataclass(frozen=True)
class Status:
    """What scripts and tests need to know about the cluster."""

    name: str
    provider: str
    up: bool
    kubeconfig: str
    kubectl: str
    helm: str
    registry: str
    """HOST:PORT to push to from this machine, by plain HTTP."""

    registryName: str
    """HOST:PORT that image references carry, on every machine the same."""

    nodes: list[str]
    problems: list[str]
    """What is wrong, when the cluster is there but not well."""


class Provider(Protocol):
    """A way to run a cluster; every method may be called again without harm."""

    def up(self, nodes: int | None) -> None:
        """Create the cluster, mend it, or see that it is well.

        ``nodes``: how many; another number than the cluster has makes it anew. None: as many as
        it has, or DEFAULT_NODES.
        """

    def down(self) -> None:
        """Remove the cluster and everything that belongs to it, caches aside."""

    def load(self, digest: str, repository: str, tag: str) -> None:
        """Put a built image in reach of the nodes, under a tag too."""

    def stop(self, component: str) -> None:
        """End one component, to see what the rest does without it."""

    def start(self, component: str) -> None:
        """Start a stopped component and wait until it answers."""

    def static_pod(self, node: str, name: str, manifest: str | None) -> None:
        """Give a node's kubelet the manifest of a static pod, or with None take it away."""

    def status(self) -> Status:
        """What is there now."""
