"""The chart as Helm renders it."""

import functools
import subprocess
from typing import Any

import yaml

from tools.demo.cluster import ROOT, status

Document = dict[str, Any]
CHART = ROOT / "charts/quorate"
VALUES = CHART / "ci/lint-values.yaml"
NAMESPACE = "quorate-system"
MAKERS = ("Deployment", "StatefulSet", "Job")
"""Kinds that make pods."""


@functools.cache
def helm_path() -> str:
    """The Helm that the cluster tool built."""
    path: str = status()["helm"]
    return path


def helm(*arguments: str, namespace: str = NAMESPACE) -> subprocess.CompletedProcess[str]:
    """Run Helm on the chart; the caller looks at the exit code."""
    command = [helm_path(), *arguments, "--namespace", namespace, "--values", str(VALUES)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@functools.cache
def rendered_text(*settings: str) -> str:
    """What ``helm template`` writes with ``--set`` for each of the settings."""
    sets = [part for setting in settings for part in ("--set-json", setting)]
    done = helm("template", "quorate", str(CHART), *sets)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(*settings: str) -> list[Document]:
    """Every document of it."""
    return [document for document in yaml.safe_load_all(rendered_text(*settings)) if document]


def named(documents: list[Document], kind: str, name: str) -> Document:
    """The one document of this kind and name."""
    (found,) = (d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


def pods(documents: list[Document]) -> dict[str, Document]:
    """Specs of all pods the chart makes, by the name of what makes them."""
    found = {}
    for document in documents:
        name = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] == "Pod":
            found[name] = document["spec"]
        elif document["kind"] in MAKERS:
            found[name] = document["spec"]["template"]["spec"]
    return found


def defaults() -> Document:
    """The values as the chart ships them."""
    document: Document = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return document
