"""``explain``: what a user may ask about: objects by name, and manifests."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate.errors import InvalidInput
from quorate_cli.explain.pod_file import read_pod
from quorate_cli.explain.subject import parse_subject
from tests.unit.cli.fake_cluster import (
    NAMESPACE,
    bare_pod,
)


@pytest.mark.parametrize(
    ("text", "kind", "namespace", "name"),
    [
        ("pod/a", "Pod", "here", "a"),
        ("po/a", "Pod", "here", "a"),
        ("model/m", "AttestedModel", "here", "m"),
        ("AttestedModel/there/m", "AttestedModel", "there", "m"),
        ("attestedmodels.quorate.dev/m", "AttestedModel", "here", "m"),
        ("deployment.apps/a", "Deployment", "here", "a"),
        ("pod/there/a", "Pod", "there", "a"),
    ],
)
def test_subjects(text: str, kind: str, namespace: str, name: str) -> None:
    """Kinds as kubectl knows them; with a namespace as denials write them."""
    named = parse_subject(text.replace("deployment.apps", "deployments.apps"), "here")
    assert (named.kind.name, named.namespace, named.name) == (kind, namespace, name)


@pytest.mark.parametrize("text", ["pod", "pod/", "secret/x", "pod/a/b/c", "pod/../x", "pod/a?b"])
def test_subjects_that_are_none(text: str) -> None:
    """Anything else is bad input, and never becomes part of a path."""
    with pytest.raises(InvalidInput):
        parse_subject(text, "here")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"])
def test_workload_files(tmp_path: Path, kind: str) -> None:
    """The pod that a workload would make is what is explained."""
    pod = bare_pod()
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    spec: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    document = {"kind": kind, "metadata": {"name": "chat"}, "spec": spec}
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([{"kind": "Service"}, document]))
    read = read_pod(path, NAMESPACE)
    assert read["metadata"]["namespace"] == NAMESPACE
    assert read["spec"] == pod["spec"]


BAD_FILES = [
    ("a: [", "is not YAML"),
    ("kind: Service", "exactly one"),
    ("{kind: Pod}\n---\n{kind: Pod}", "exactly one"),
    ("{kind: Pod, metadata: {}, spec: {}}", "at least one container"),
    ("{kind: Pod, metadata: {}, spec: {containers: [{}]}}", "must have a name"),
    ("{kind: Pod, metadata: {}, spec: {containers: {name: a}}}", "must be a list"),
    ("{kind: Pod, metadata: {labels: {a: 1}}, spec: {containers: [{name: a}]}}", "quote it"),
    (
        "{kind: Pod, metadata: {}, spec: {containers: [{name: a, env: [{name: a, value: 1}]}]}}",
        "quote it",
    ),
    ("{kind: Pod, metadata: {namespace: b}, spec: {containers: [{name: a}]}}", "for namespace b"),
    ("{kind: Deployment, metadata: {name: a}, spec: {}}", "spec.template"),
]


@pytest.mark.parametrize(("text", "says"), BAD_FILES, ids=[says for _, says in BAD_FILES])
def test_files_that_hold_no_pod(tmp_path: Path, text: str, says: str) -> None:
    """Each misshapen manifest is bad input that names the field."""
    path = tmp_path / "pod.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_pod(path, NAMESPACE)
