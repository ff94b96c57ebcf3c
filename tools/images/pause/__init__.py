"""The pause image: the kubelet's sandbox, built from a few lines of C."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools.cluster.command import run
from tools.images import store
from tools.images.blobs import sha256_digest
from tools.images.oci import add_folder, architecture

_SOURCE = Path(__file__).with_name("pause.c")
_FLAGS = ("-Os", "-static", "-s", "-Wall", "-Werror")


def ensure() -> str:
    """The digest of the image in the cache, built when absent. Needs gcc and libc6-dev."""
    recipe = _SOURCE.read_bytes() + " ".join((*_FLAGS, architecture())).encode()
    inputs = sha256_digest(recipe)
    digest = store.built_digest(inputs)
    if digest is None:
        with tempfile.TemporaryDirectory() as temporary:
            run(["gcc", *_FLAGS, "-o", f"{temporary}/pause", _SOURCE])
            runtime = {"Entrypoint": ["/pause"], "User": "65535:65535"}
            digest = add_folder(store.blob_store(), Path(temporary), runtime)
        store.remember(inputs, digest)
    return digest
