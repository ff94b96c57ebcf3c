"""Images the end-to-end tests run: a scripted server, and small models in every state of repair."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from quorate.manifest import Manifest
from quorate_io.measuring import measure_directory
from tools.demo.cluster import ROOT, images

FILES = {
    "config.json": b'{"hidden": 8}\n',
    "model.safetensors": b"\x08\x00\x00\x00\x00\x00\x00\x00{}      " + bytes(range(256)) * 64,
    "tokenizer/vocab.json": b'{"a": 0}\n',
}


@dataclass(frozen=True)
class ModelImage:
    """A model packed into an image, and the manifest of the files that were meant."""

    reference: str
    files: Manifest


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files under ``folder``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def changed_byte(folder: Path) -> None:
    """One bit of the weights flipped."""
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def added_file(folder: Path) -> None:
    """One file nobody signed."""
    (folder / "extra.py").write_text("print('hello')\n", encoding="utf-8")


def renamed_file(folder: Path) -> None:
    """The same bytes under another name."""
    (folder / "config.json").rename(folder / "config.py")


def symlinked_file(folder: Path) -> None:
    """A file replaced by a link to a copy of it elsewhere in the folder."""
    (folder / "config.json").rename(folder / "tokenizer" / "config.json")
    (folder / "config.json").symlink_to("tokenizer/config.json")


SPOILERS = {
    "changed-byte": changed_byte,
    "added-file": added_file,
    "renamed-file": renamed_file,
    "symlinked-file": symlinked_file,
}


def pack(folder: Path, name: str) -> str:
    """Pack a folder into an image and load it into the cluster; returns its reference."""
    for arguments in (("model", str(folder), name), ("load", name)):
        subprocess.run(
            [sys.executable, "-m", "tools.images", *arguments],
            cwd=ROOT,
            env=os.environ,
            check=True,
            capture_output=True,
        )
    return images()[name]["reference"]


def build_models(scratch: Path) -> dict[str, ModelImage]:
    """The good model under the name ``good``, and a spoilt one for each spoiler."""
    good = scratch / "good"
    write(good, FILES)
    meant = measure_directory(good, workers=1, progress=lambda _done, _total: None)
    models = {"good": ModelImage(pack(good, "e2e-good"), meant)}
    for name, spoil in SPOILERS.items():
        folder = scratch / name
        write(folder, FILES)
        spoil(folder)
        models[name] = ModelImage(pack(folder, f"e2e-{name}"), meant)
    return models


@cache
def models_once() -> dict[str, ModelImage]:
    """:func:`build_models`, once a run."""
    with tempfile.TemporaryDirectory() as scratch:
        return build_models(Path(scratch))
