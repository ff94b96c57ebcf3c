"""The command line as a person runs it, against the installed cluster."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tools.demo.cluster import ROOT, Cluster


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """The output as JSON."""
        return json.loads(self.output)


def quorate(cluster: Cluster, *arguments: str, text: bool = False, **environment: str) -> Done:
    """Run ``quorate`` with the cluster's KUBECONFIG; its output is JSON unless ``text``."""
    form = () if text else ("--output", "json")
    return run(cluster, sys.executable, "-m", "quorate_cli", *arguments, *form, **environment)


def run(cluster: Cluster, *command: str, **environment: str) -> Done:
    """Run any command with the cluster's KUBECONFIG, whatever its exit code."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": cluster.kubeconfig, "COLUMNS": "120"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
