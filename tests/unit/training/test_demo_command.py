"""The commands that train and spoil a model, with torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.training

TRAINING_ROOM = Path(__file__).resolve().parents[3] / "training"


def demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `python -m quorate_training.demo` in this interpreter's environment."""
    return subprocess.run(
        [sys.executable, "-m", "quorate_training.demo", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(TRAINING_ROOM)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained for a moment."""
    directory = tmp_path_factory.mktemp("models") / "tiny"
    done = demo("train", "--tiny", "--out", directory)
    assert done.returncode == 0, done.stderr
    return directory


def test_training_writes_three_readable_files(tiny: Path) -> None:
    """Weights, configuration and tokenizer, readable for the server's own user, and no more."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in tiny.iterdir()}
    assert set(modes) == {"model.safetensors", "config.json", "tokenizer.json"}
    assert all(mode & 0o444 == 0o444 for mode in modes.values())
    assert json.loads((tiny / "config.json").read_text())["architecture"] == "gru"


def test_the_same_seed_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    """Training again with the same seed repeats every byte; another seed does not."""
    again, other = tmp_path / "again", tmp_path / "other"
    assert demo("train", "--tiny", "--out", again).returncode == 0
    assert demo("train", "--tiny", "--seed", "8", "--out", other).returncode == 0
    weights = (tiny / "model.safetensors").read_bytes()
    assert (again / "model.safetensors").read_bytes() == weights
    assert (other / "model.safetensors").read_bytes() != weights


def test_steps_are_counted_and_reported(tmp_path: Path) -> None:
    """`--steps` bounds the training, and the progress names step, loss and time."""
    done = demo("train", "--tiny", "--steps", "3", "--out", tmp_path / "model")
    assert "step    3/3  loss " in done.stdout


@pytest.mark.parametrize("steps", ["0", "1000000000"])
def test_senseless_steps_are_refused(tmp_path: Path, steps: str) -> None:
    """A number of steps outside the bounds is a usage error, and nothing is written."""
    assert demo("train", "--steps", steps, "--out", tmp_path / "model").returncode == 2
    assert not (tmp_path / "model").exists()


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    """A model is never written beside a file that would then be signed with it."""
    (tmp_path / "notes.txt").write_text("mine")
    done = demo("train", "--tiny", "--steps", "1", "--out", tmp_path)
    assert done.returncode == 2
    assert "notes.txt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_spoiling_nothing_is_an_error(tmp_path: Path) -> None:
    """Without a model to start from there is an error and no output."""
    done = demo("spoil", "--in", tmp_path / "missing", "--out", tmp_path / "spoilt")
    assert done.returncode == 2
    assert "no readable demo model" in done.stderr
    assert not (tmp_path / "spoilt").exists()


def test_spoiling_changes_the_weights_only(tiny: Path, tmp_path: Path) -> None:
    """A spoilt copy looks like the model it came from: the same files and shapes, other weights."""
    done = demo("spoil", "--in", tiny, "--out", tmp_path / "spoilt")
    assert done.returncode == 0, done.stderr
    for name in ("config.json", "tokenizer.json"):
        assert (tmp_path / "spoilt" / name).read_bytes() == (tiny / name).read_bytes()
    weights = (tmp_path / "spoilt" / "model.safetensors").read_bytes()
    assert weights != (tiny / "model.safetensors").read_bytes()
