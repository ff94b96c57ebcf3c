"""Writes and reads a model directory: `model.safetensors`, `config.json`, `tokenizer.json`.

Nothing else is in the directory: every file of it is signed, so a stray one would be signed too.
"""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from quorate_training.demo.network import Network, Shape, build_network
from quorate_training.demo.tokenizer import to_json

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"


class StoreError(Exception):
    """A model directory cannot be written or read; the message says why."""


def save(network: Network, directory: Path) -> None:
    """Writes a model into a new or empty directory, or over an older demo model.

    Raises StoreError when the directory holds a file that does not belong to a demo model.
    """
    directory.mkdir(parents=True, exist_ok=True)
    strangers = {path.name for path in directory.iterdir()} - {WEIGHTS, CONFIG, TOKENIZER}
    if strangers:
        raise StoreError(f"{directory} holds other files: {', '.join(sorted(strangers))}")
    weights = {name: value.contiguous() for name, value in network.modules.state_dict().items()}
    save_file(weights, directory / WEIGHTS)
    # The library leaves the file to its owner alone; a server runs as somebody else.
    (directory / WEIGHTS).chmod(0o644)
    _write_json(directory / CONFIG, network.shape.to_json())
    _write_json(directory / TOKENIZER, to_json())


def load(directory: Path) -> Network:
    """Returns the model of a directory that `save` wrote.

    Raises StoreError when a file is missing or does not fit.
    """
    try:
        config = json.loads((directory / CONFIG).read_text("utf-8"))
        shape = Shape(
            embedding_size=config["embedding_size"],
            hidden_size=config["hidden_size"],
            vocabulary_size=config["vocabulary_size"],
        )
        network = build_network(shape)
        network.modules.load_state_dict(load_file(directory / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StoreError(f"{directory} holds no readable demo model: {error}") from error
    return network


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")
