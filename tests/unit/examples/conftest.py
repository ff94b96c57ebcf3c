"""Makes the first example's server and evaluation importable, and builds models without torch."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from quorate_training.demo.tokenizer import VOCABULARY_SIZE, to_json

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "01-first-light"
sys.path[:0] = [str(EXAMPLE / "server"), str(EXAMPLE / "evaluation")]

HIDDEN, EMBEDDED = 8, 4


def write_model(directory: Path, *, seed: int = 1) -> Path:
    """Writes a model of the right shape that has learned nothing; returns its directory."""
    rng = np.random.default_rng(seed)
    shapes = {
        "embedding.weight": (VOCABULARY_SIZE, EMBEDDED),
        "recurrent.weight_ih_l0": (3 * HIDDEN, EMBEDDED),
        "recurrent.weight_hh_l0": (3 * HIDDEN, HIDDEN),
        "recurrent.bias_ih_l0": (3 * HIDDEN,),
        "recurrent.bias_hh_l0": (3 * HIDDEN,),
        "output.weight": (VOCABULARY_SIZE, HIDDEN),
        "output.bias": (VOCABULARY_SIZE,),
    }
    directory.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()},
        directory / "model.safetensors",
    )
    config = {"architecture": "gru", "layers": 1, "hidden_size": HIDDEN, "embedding_size": EMBEDDED}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_text(json.dumps(to_json()))
    return directory


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """A model that speaks nonsense."""
    return write_model(tmp_path / "model")
