"""What people do about the committee: an administrator's key, and the commands that they type."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.keys import LocalSigner
from tests.e2e.command_line import Done, quorate
from tests.e2e.installation import SYSTEM
from tests.e2e.tenant import Document, condition, eventually
from tools.demo.cluster import Cluster

OBJECT = ("safetycommittee", "committee")
CERTIFIED_SECONDS = 90.0

_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"an administrator of the tests".ljust(32))
"""The same every time: the genesis of an installation that is there already names it."""


@cache
def administrator() -> LocalSigner:
    """The one whose signature this installation's committee wants."""
    return LocalSigner(_KEY)


def key_file(folder: Path) -> Path:
    """The administrator's private key, as commands take it."""
    path = folder / "administrator.key"
    if not path.exists():
        path.write_bytes(
            _KEY.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        path.chmod(0o600)
    return path


def committee(cluster: Cluster, *arguments: str) -> Done:
    """``quorate committee …``, with kubectl where the command finds it; JSON comes back."""
    kubectl = str(Path(cluster.kubectl_path).parent)
    path = os.pathsep.join((kubectl, os.environ["PATH"]))
    return quorate(cluster, "committee", *arguments, PATH=path)


def done(cluster: Cluster, *arguments: str) -> Any:
    """What a command that must succeed answers. AssertionError with what it said instead."""
    found = committee(cluster, *arguments)
    assert found.code == 0, f"{arguments}: {found.output}{found.errors}"
    return found.document


def new_key(cluster: Cluster, folder: Path, name: str) -> tuple[Path, Path]:
    """A new key pair for a member: private and public."""
    made = quorate(cluster, "keygen", "--member", "--out", str(folder / name))
    assert made.code == 0, made.errors
    return folder / f"{name}.key", folder / f"{name}.pub"


def give_key(cluster: Cluster, member: str, private: Path) -> None:
    """Put a private key where the member reads it."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"quorate-{member}-key", "namespace": "quorate-system"},
        "stringData": {"key.pem": private.read_text()},
    }
    cluster.apply(secret)


def change(cluster: Cluster, folder: Path, *command: str) -> None:
    """Propose what a command drafts, signed by the administrator, and have the operator take it to
    the members; wait until it is in force."""
    file = folder / f"proposal-{len(list(folder.glob('proposal-*')))}.json"
    reason = ("--reason", "a test", "--out", str(file), "--key", str(key_file(folder)))
    done(cluster, *command, *reason)
    name = propose(cluster, file)
    certified(cluster, name)


def propose(cluster: Cluster, file: Path) -> str:
    """Put a proposal into the SafetyCommittee; its name there."""
    named = f"test-{file.stem}-{file.stat().st_mtime_ns}"
    done(cluster, "propose", str(file), "--name", named)
    return named


def certified(cluster: Cluster, name: str) -> None:
    """Wait until the proposal of this name is an epoch."""

    def phase() -> bool:
        found = {one["name"]: one for one in status(cluster).get("proposals", [])}
        one = found.get(name)
        assert one is None or one["phase"] != "Declined", one
        return one is not None and one["phase"] == "Certified"

    eventually(phase, f"proposal {name} is certified", seconds=CERTIFIED_SECONDS)


def status(cluster: Cluster) -> Document:
    """The status of the SafetyCommittee."""
    found: Document = cluster.get(*OBJECT, *SYSTEM).get("status", {})
    return found


def whole(cluster: Cluster) -> bool:
    """Whether every member answers, in the epoch in force, with a vote that counts."""
    found = {"status": status(cluster)}
    wanted = {"Degraded": "False", "EpochCurrent": "True", "AllTrusted": "True"}
    return all(condition(found, kind) == status for kind, status in wanted.items())
