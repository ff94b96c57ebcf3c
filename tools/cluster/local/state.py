"""The record of a local cluster: read after crashes, so written atomically."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tools.cluster.local.addresses import Addresses


@dataclass(frozen=True)
class ClusterState:
    """What was chosen when the cluster was made."""

    name: str
    checkout: str
    boot_id: str
    network: str
    nodes: int
    binaries: str
    """The digest of the pinned binaries."""

    complete: bool
    """False until the first ``up`` ended well: a cluster half made is cleaned, never mended."""

    @property
    def addresses(self) -> Addresses:
        """The addresses derived from the recorded network."""
        return Addresses(IPv4Network(self.network))


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file so that a reader sees the old or the new text, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def save(path: Path, state: ClusterState) -> None:
    """Write the record."""
    write_atomically(path, json.dumps(asdict(state), indent=2) + "\n")


def load(path: Path) -> ClusterState | None:
    """The record, or None when it is absent or unreadable (the cluster is then cleaned)."""
    try:
        return ClusterState(**json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, TypeError):
        return None
