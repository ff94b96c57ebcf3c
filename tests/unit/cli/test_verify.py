"""verify: every change of the model and every missing signer is denied."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Quorate


def public(key: Path) -> Path:
    return key.with_suffix(".pub")


def test_untouched_model_verifies(quorate: Quorate, model: Path, key: Path, bundle: Path) -> None:
    """The model as it was signed is verified, in words and as JSON."""
    line = ("verify", model, "--bundle", bundle, "--key", public(key))
    assert "verified 2 files" in quorate(*line).out
    document = quorate(*line, "--output", "json").document
    assert document["verified"] is True
    assert document["files"] == 2


def one_byte(model: Path) -> None:
    weights = model / "weights" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[100] ^= 1
    weights.write_bytes(data)


def added(model: Path) -> None:
    (model / "modeling.py").write_text("import os")


def added_hidden(model: Path) -> None:
    (model / ".git").mkdir()
    (model / ".git" / "hook").write_text("x")


def renamed(model: Path) -> None:
    (model / "config.json").rename(model / "generation_config.json")


def removed(model: Path) -> None:
    (model / "config.json").unlink()


def symlinked(model: Path) -> None:
    (model / "config.json").rename(model.parent / "config.json")
    (model / "config.json").symlink_to(model.parent / "config.json")


def swapped(model: Path) -> None:
    weights, config = model / "weights" / "model.safetensors", model / "config.json"
    one, two = weights.read_bytes(), config.read_bytes()
    weights.write_bytes(two)
    config.write_bytes(one)


@pytest.mark.requirement("one byte changed, a file added, renamed or symlinked: refused")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (one_byte, "changed: weights/model.safetensors"),
        (added, "not signed: modeling.py"),
        (added_hidden, "not signed: .git/hook"),
        (renamed, "not signed: generation_config.json"),
        (removed, "missing: config.json"),
        (symlinked, "config.json: is a symbolic link"),
        (swapped, "changed: config.json"),
    ],
)
def test_changed_models_are_denied(
    quorate: Quorate,
    model: Path,
    key: Path,
    bundle: Path,
    change: Callable[[Path], None],
    says: str,
) -> None:
    """Each way to change a model exits 1 and names the file."""
    change(model)
    ran = quorate("verify", model, "--bundle", bundle, "--key", public(key))
    assert ran.code == 1
    assert ran.out.startswith("DENIED: ")
    assert says in ran.out


def test_wrong_key_is_denied(quorate: Quorate, model: Path, bundle: Path, tmp_path: Path) -> None:
    """A signature by somebody else is no signature."""
    quorate("keygen", "--out", tmp_path / "other")
    ran = quorate("verify", model, "--bundle", bundle, "--key", tmp_path / "other.pub")
    assert ran.code == 1
    assert "none of 1 accepted keys" in ran.out


@pytest.mark.requirement("k-of-n counts distinct key material over independent bundles")
def test_two_signers_meet_a_threshold_of_two(
    quorate: Quorate, model: Path, key: Path, bundle: Path, tmp_path: Path
) -> None:
    """Two owners' bundles count; one owner's bundle given twice does not."""
    quorate("keygen", "--out", tmp_path / "second")
    second = tmp_path / "second.bundle"
    quorate("sign", model, "--key", tmp_path / "second.key", "--out", second)
    line = ("verify", model, "--key", public(key), "--key", tmp_path / "second.pub")
    both = quorate(*line, "--bundle", bundle, "--bundle", second, "--threshold", "2")
    assert both.code == 0
    twice = quorate(*line, "--bundle", bundle, "--bundle", bundle, "--threshold", "2")
    assert twice.code == 1


def test_bad_bundle_beside_a_good_one_is_reported(
    quorate: Quorate, model: Path, key: Path, bundle: Path, tmp_path: Path
) -> None:
    """What did not count is said, also in success."""
    (tmp_path / "bad").write_text("{}")
    line = ("verify", model, "--bundle", bundle, "--bundle", tmp_path / "bad", "--key", public(key))
    ran = quorate(*line)
    assert ran.code == 0
    assert "did not count:   bundles[1]" in ran.out


@pytest.mark.parametrize("content", [b"", b"[]", b"{" * 5000, b"\xff\xfe", b"{} {}"])
def test_malformed_bundle_is_denied(
    quorate: Quorate, model: Path, key: Path, tmp_path: Path, content: bytes
) -> None:
    """A bundle that cannot be read proves nothing."""
    (tmp_path / "b").write_bytes(content)
    ran = quorate("verify", model, "--bundle", tmp_path / "b", "--key", public(key))
    assert ran.code == 1


@pytest.mark.parametrize(
    "extra",
    [["--threshold", "0"], ["--threshold", "2"], ["--gate-key", "OWNER"], ["--gate", "BUNDLE"]],
)
def test_meaningless_questions_are_bad_input(
    quorate: Quorate, model: Path, key: Path, bundle: Path, extra: list[str]
) -> None:
    """An impossible threshold, or gates without producers, is the caller's mistake."""
    words = {"OWNER": public(key), "BUNDLE": bundle}
    ran = quorate(
        *("verify", model, "--bundle", bundle, "--key", public(key)),
        *(words.get(word, word) for word in extra),
    )
    assert ran.code == 2


@pytest.mark.parametrize("missing", ["model", "bundle", "key"])
def test_missing_files_are_bad_input(
    quorate: Quorate, model: Path, key: Path, bundle: Path, tmp_path: Path, missing: str
) -> None:
    """A path with a typing error is told apart from a denial, and named."""
    paths = {"model": model, "bundle": bundle, "key": public(key)}
    paths[missing] = tmp_path / "nowhere"
    ran = quorate("verify", paths["model"], "--bundle", paths["bundle"], "--key", paths["key"])
    assert ran.code == 2
    assert "nowhere" in ran.err


def report(**fields: Any) -> str:
    """An evaluation's report that passes, with some fields replaced."""
    described = {name: {"name": name, "digest": {"sha256": "01" * 32}} for name in NAMES}
    return json.dumps(
        {
            **described,
            "finishedAt": "2026-01-31T12:00:00Z",
            "result": "PASSED",
            "passedTests": ["toxicity"],
            **fields,
        }
    )


NAMES = ("suite", "dataset", "harness")


@pytest.fixture
def gate(quorate: Quorate, model: Path, key: Path, tmp_path: Path) -> Callable[..., Path]:
    """Sign a gate over the model; fields of its report may be replaced."""

    def make(over: Path = model, **fields: Any) -> Path:
        (tmp_path / "report.json").write_text(report(**fields))
        line = ("gate", "--report", tmp_path / "report.json", "--model", over, "--key", key)
        assert quorate(*line, "--out", tmp_path / "gate.json").code == 0
        return tmp_path / "gate.json"

    return make


def test_passed_gate_verifies(
    quorate: Quorate, model: Path, key: Path, bundle: Path, gate: Callable[..., Path]
) -> None:
    """A gate about this model that passed is shown with its suite and time."""
    line = ("verify", model, "--bundle", bundle, "--key", public(key), "--gate", gate())
    ran = quorate(*line, "--gate-key", public(key), "--output", "json")
    assert ran.code == 0
    [shown] = ran.document["gates"]
    assert (shown["suite"], shown["finishedAt"]) == (f"sha256:{'01' * 32}", "2026-01-31T12:00:00Z")


@pytest.mark.requirement("gate FAILED, by the wrong key, or for another model: refused")
@pytest.mark.parametrize("case", ["failed", "warned", "other model", "wrong key", "not a gate"])
def test_gates_that_do_not_pass_are_denied(
    quorate: Quorate,
    model: Path,
    key: Path,
    bundle: Path,
    gate: Callable[..., Path],
    tmp_path: Path,
    case: str,
) -> None:
    """Each gate that does not open the way is denied with its own reason."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    quorate("keygen", "--out", tmp_path / "stranger")
    cases: dict[str, tuple[Callable[[], Path], Path, str]] = {
        "failed": (lambda: gate(result="FAILED", failedTests=["pii"]), public(key), "FAILED (pii)"),
        "warned": (lambda: gate(result="WARNED", warnedTests=["slow"]), public(key), "WARNED"),
        "other model": (lambda: gate(other), public(key), "another model"),
        "wrong key": (gate, tmp_path / "stranger.pub", "0 of 1 accepted keys"),
        "not a gate": (lambda: bundle, public(key), "predicateType"),
    }
    made, accepted, says = cases[case]
    line = ("verify", model, "--bundle", bundle, "--key", public(key), "--gate", made())
    ran = quorate(*line, "--gate-key", accepted)
    assert ran.code == 1
    assert says in ran.out
