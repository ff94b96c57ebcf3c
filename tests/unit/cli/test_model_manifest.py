"""model manifest: an object the API accepts, from evidence that agrees."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.meta import read
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.test_gate import DIGEST, report

OWNERS = [
    *("--owner-model", "Model team=model@example.com"),
    *("--owner-safety", "Safety=https://safety.example.com/oncall?a=b"),
    *("--owner-infra", "Platform=#platform"),
]


@pytest.fixture
def line(bundle: Path) -> list[object]:
    """The arguments every call has."""
    named = ["--name", "demo", "--namespace", "team-a"]
    return ["model", "manifest", *named, "--bundle", bundle]


@pytest.fixture
def gate(quorate: Quorate, model: Path, key: Path, tmp_path: Path) -> Path:
    """A signed gate over the model."""
    (tmp_path / "r").write_text(json.dumps(report()))
    out = tmp_path / "Safety Gate.json"
    quorate("gate", "--report", tmp_path / "r", "--model", model, "--key", key, "--out", out)
    return out


def test_object_is_what_the_api_accepts(
    quorate: Quorate, line: list[object], gate: Path, bundle: Path
) -> None:
    """The YAML parses into an AttestedModel that carries the documents byte for byte."""
    extra = ["--gate", gate, "--source-pvc", "weights", "--version", "1.0", *OWNERS]
    dataset = ["--dataset", f"corpus={DIGEST}"]
    ran = quorate(*line, *extra, *dataset)
    assert ran.code == 0, ran.err
    document = yaml.safe_load(ran.out)
    spec = read(AttestedModel, document).spec
    assert spec.signatures[0].bundle.encode() == bundle.read_bytes()
    assert spec.signatures[0].name == "demo"
    assert spec.evidence[0].envelope.encode() == gate.read_bytes()
    assert spec.evidence[0].name == "safety-gate"
    assert spec.version == "1.0"
    assert spec.owners is not None
    assert spec.owners.safety.contact == "https://safety.example.com/oncall?a=b"
    assert spec.datasets[0].digest == DIGEST
    assert quorate(*line, *extra, *dataset, "--output", "json").document == document


def test_image_source_needs_a_digest(quorate: Quorate, line: list[object]) -> None:
    """A tag could mean another model tomorrow."""
    good = quorate(*line, "--source-image", f"registry.example.com/m@{DIGEST}", "--output", "json")
    assert good.document["spec"]["source"] == {
        "image": {"reference": f"registry.example.com/m@{DIGEST}"}
    }
    bad = quorate(*line, "--source-image", "registry.example.com/m:latest")
    assert bad.code == 2
    assert "source" in bad.err


def test_same_file_names_get_different_names(
    quorate: Quorate, line: list[object], model: Path, tmp_path: Path
) -> None:
    """Two bundles called alike become two entries of the list."""
    (tmp_path / "second").mkdir()
    quorate("keygen", "--out", tmp_path / "other")
    second = tmp_path / "second" / "demo.bundle.json"
    quorate("sign", model, "--key", tmp_path / "other.key", "--out", second)
    ran = quorate(*line, "--bundle", second, "--source-pvc", "w", "--output", "json")
    assert [entry["name"] for entry in ran.document["spec"]["signatures"]] == ["demo", "demo-2"]


def test_bundles_of_different_models_are_refused(
    quorate: Quorate, line: list[object], model: Path, key: Path, tmp_path: Path
) -> None:
    """One object is one model."""
    (model / "config.json").write_text("{}")
    quorate("sign", model, "--key", key, "--out", tmp_path / "changed")
    ran = quorate(*line, "--bundle", tmp_path / "changed", "--source-pvc", "w")
    assert ran.code == 1
    assert "different models" in ran.err


def test_gate_of_another_model_is_refused(
    quorate: Quorate, line: list[object], key: Path, tmp_path: Path
) -> None:
    """A transplanted gate is noticed before it is applied."""
    (tmp_path / "r").write_text(json.dumps(report()))
    gate = ("gate", "--report", tmp_path / "r", "--manifest-digest", DIGEST, "--key", key)
    quorate(*gate, "--out", tmp_path / "g")
    ran = quorate(*line, "--gate", tmp_path / "g", "--source-pvc", "w")
    assert ran.code == 1
    assert "another model" in ran.err


def test_the_document_that_is_wrong_is_named(
    quorate: Quorate, line: list[object], tmp_path: Path
) -> None:
    """Several bundles and gates may be given, so an error says which one, and then the field."""
    other = tmp_path / "other.json"
    other.write_text("{}")
    for option in ("--bundle", "--gate"):
        ran = quorate(*line, option, other, "--source-pvc", "w")
        assert ran.code == 2
        assert ran.err.startswith(f"error: {other}: ")
    ran = quorate(*line, "--source-pvc", "w", "--owner-model", "nobody")
    assert "must be written TEAM=CONTACT, not 'nobody'" in ran.err


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["--source-pvc", "w", "--source-image", "x"],
        ["--source-pvc", "Not A Name"],
        ["--source-pvc", "w", *OWNERS[:4]],
        ["--source-pvc", "w", "--owner-model", "nobody"],
        ["--source-pvc", "w", "--dataset", "corpus=md5"],
        ["--source-pvc", "w", "--version", "v" * 200],
    ],
)
def test_what_the_api_would_refuse_is_refused(
    quorate: Quorate, line: list[object], extra: list[Any]
) -> None:
    """No source, two sources, bad names and half the owners are bad input."""
    assert quorate(*line, *extra).code == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 1000])
def test_malformed_documents_are_refused(
    quorate: Quorate, line: list[object], tmp_path: Path, content: bytes
) -> None:
    """Neither a bundle nor a gate that cannot be read gets into the object."""
    (tmp_path / "bad").write_bytes(content)
    for option in ("--bundle", "--gate"):
        ran = quorate(*line, option, tmp_path / "bad", "--source-pvc", "w")
        assert ran.code == 2
