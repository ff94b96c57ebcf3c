"""kubectl against the running cluster, with the programs the cluster tool names."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 120


def cluster_status() -> dict[str, Any]:
    """What ``python -m tools.cluster status --output json`` says."""
    argv = [sys.executable, "-m", "tools.cluster", "status", "--output", "json"]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    status: dict[str, Any] = json.loads(done.stdout)
    return status


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the administrator, in one namespace."""

    program: str
    kubeconfig: str
    namespace: str

    def argv(self, *words: str) -> list[str]:
        """The whole command line."""
        return [
            self.program,
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *words,
        ]

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run to the end, whatever the exit code."""
        return subprocess.run(
            self.argv(*words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Run and return the output; an AssertionError with both streams when it fails."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}{done.stdout}"
        return done.stdout

    def apply(self, *documents: dict[str, Any]) -> None:
        """Create or change objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self("apply", "--filename=-", stdin=json.dumps(items))

    def get(self, *words: str) -> dict[str, Any]:
        """An object or list."""
        document: dict[str, Any] = json.loads(self("get", *words, "--output=json"))
        return document

    def python(self, pod: str, code: str, *arguments: str) -> str:
        """Run Python in a pod and return what it prints."""
        return self("exec", pod, "--", "python3", "-c", code, *arguments)
