"""The pause image: the kubelet's sandbox, built from a few lines of C."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools.cluster.cache import cache_root
from tools.cluster.command import run
from tools.images.oci import architecture, sha256_digest, write_folder_image

_SOURCE = Path(__file__).with_name("pause.c")
_FLAGS = ("-Os", "-static", "-s", "-Wall", "-Werror")


def archive() -> Path:
    """The image's archive in the cache, built when absent. Needs gcc and libc6-dev."""
    recipe = _SOURCE.read_bytes() + " ".join((*_FLAGS, architecture())).encode()
    folder = cache_root() / "images"
    target = folder / f"pause-{sha256_digest(recipe)[7:23]}.tar"
    if target.exists():
        return target
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pause-") as temporary:
        run(["gcc", *_FLAGS, "-o", f"{temporary}/pause", _SOURCE])
        runtime = {"Entrypoint": ["/pause"], "User": "65535:65535"}
        write_folder_image(Path(temporary), runtime, target)
    return target
