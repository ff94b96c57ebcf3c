"""Where a local cluster keeps its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# What a node sees: its namespace has its own /var and /run (see node-namespace.sh).
NODE_CONFIG = Path("/run/quorate/etc")
NODE_STATIC_PODS = NODE_CONFIG / "static-pods"
NODE_BINARIES = Path("/run/quorate/bin")


def state_base() -> Path:
    """The folder of all clusters of this machine: QUORATE_STATE, or /var/lib/quorate."""
    return Path(os.environ.get("QUORATE_STATE") or "/var/lib/quorate").absolute()


@dataclass(frozen=True)
class Layout:
    """The files of one cluster; everything below ``root`` goes with ``down``."""

    root: Path

    @property
    def state_file(self) -> Path:
        """The record of what was chosen when the cluster was made."""
        return self.root / "state.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration of the control plane."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """Data of etcd and the registry."""
        return self.root / "data"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.root / "logs" / f"{component}.log"

    def pid_file(self, component: str) -> Path:
        """The record of a component's process."""
        return self.root / "pids" / f"{component}.json"

    def node(self, node: str) -> Path:
        """The folder of a node: its /var, its configuration, its mount point for /run."""
        return self.root / node

    def node_config(self, node: str) -> Path:
        """What the node sees as NODE_CONFIG."""
        return self.node(node) / "etc"

    def static_pods(self, node: str) -> Path:
        """What the node sees as NODE_STATIC_PODS."""
        return self.node_config(node) / NODE_STATIC_PODS.name

    def make(self) -> None:
        """Create the folders; only root may look into them, because keys lie there."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("logs", "pids", "pki", "config", "data"):
            (self.root / folder).mkdir(mode=0o700, exist_ok=True)
