"""The running cluster, as the demo and the end-to-end tests use it: kubectl and helm."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class CommandFailed(Exception):
    """A command failed; holds what it printed."""

    def __init__(self, command: list[str], output: str) -> None:
        super().__init__(f"{' '.join(command)}\n{output}")
        self.output = output


@dataclass(frozen=True)
class Cluster:
    """Paths of the cluster's clients and configuration."""

    kubeconfig: str
    kubectl_path: str
    helm_path: str

    def run(self, *command: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a command with the cluster's KUBECONFIG; CommandFailed with its output on failure."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"KUBECONFIG": self.kubeconfig},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(list(command), done.stdout + done.stderr)
        return done.stdout

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl; returns its standard output."""
        return self.run(self.kubectl_path, *arguments, stdin=stdin, timeout=timeout)

    def get(self, *arguments: str) -> Any:
        """``kubectl get … -o json``, parsed."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *documents: dict[str, Any]) -> str:
        """Apply documents, strictly: an unknown field is an error."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        return self.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listing)
        )

    def apply_text(self, text: str) -> str:
        """Apply YAML text."""
        return self.kubectl("apply", "-f", "-", stdin=text)

    def helm(self, *arguments: str, timeout: float = 600) -> str:
        """Run helm; returns its standard output."""
        return self.run(self.helm_path, *arguments, timeout=timeout)


def status() -> dict[str, Any]:
    """What the cluster tool says of this checkout's cluster."""
    command = [sys.executable, "-m", "tools.cluster", "status", "--output", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(command, done.stdout + done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def running_cluster() -> Cluster:
    """The cluster of this checkout; CommandFailed if it is not up."""
    answer = status()
    if not answer["up"]:
        raise CommandFailed(["tools.cluster", "status"], "the cluster is not up: make up")
    return Cluster(answer["kubeconfig"], answer["kubectl"], answer["helm"])


def images() -> dict[str, dict[str, str]]:
    """References and digests of the built images, by name."""
    recorded: dict[str, dict[str, str]] = json.loads(
        (ROOT / "build" / "images.json").read_text("utf-8")
    )
    return recorded
