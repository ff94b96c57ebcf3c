"""Whatever a manifest or a subject holds, the answer is an explanation or bad input, no crash."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quorate.errors import InvalidInput
from quorate_cli.explain.pod_file import pod_of, read_pod
from quorate_cli.explain.subject import parse_subject
from quorate_cli.explain.text import render
from tests.unit.cli.fake_cluster import NAMESPACE, FakeCluster, bare_pod

CLUSTER = FakeCluster()
LEAVES = st.none() | st.booleans() | st.integers(-5, 70_000) | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    found = [here]
    if isinstance(value, dict | list):
        for key, child in children:
            found += (
                paths(child, (*here, key)) if isinstance(child, dict | list) else [(*here, key)]
            )
    return found


FILES = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PLACES = [path for path in paths(bare_pod()) if path]


@given(place=st.sampled_from(PLACES), value=VALUES)
@settings(max_examples=300, deadline=None)
def test_a_pod_with_anything_anywhere(place: tuple[Any, ...], value: Any) -> None:
    """One field of a good pod replaced by anything: explained, or refused as bad input."""
    pod = bare_pod()
    holder = pod
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        pod_of(pod, NAMESPACE)
        explained = CLUSTER.explain_file(pod)
    except InvalidInput:
        return
    assert render(explained, 80)
    assert explained.decisions[0].answer in ("yes", "no")


@given(document=VALUES)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_with_anything(tmp_path: Path, document: Any) -> None:
    """A file that holds no pod is bad input, whatever it holds."""
    path = tmp_path / "pod.yaml"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInput):
        read_pod(path, NAMESPACE)


@given(data=st.binary(max_size=200))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_of_any_bytes(tmp_path: Path, data: bytes) -> None:
    """Bytes that are no text, no YAML or no pod are bad input."""
    path = tmp_path / "pod.yaml"
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        read_pod(path, NAMESPACE)


@given(text=st.text(max_size=80))
def test_any_subject(text: str) -> None:
    """A subject is a kind and names, or bad input; a name never holds more than a name."""
    try:
        named = parse_subject(text, NAMESPACE)
    except InvalidInput:
        return
    assert "/" not in named.name + named.namespace
    assert named.name.isascii()
