"""Keep the cache of images bounded: the least recently used go first."""

from __future__ import annotations

import time

from tools.cluster.errors import ToolError
from tools.images import store
from tools.images.oci import read_manifest

IMAGES_MAX = 200
# A blob this young may belong to an image that is being made without the build's lock.
_SPARED_SECONDS = 3600.0


def prune(images_max: int = IMAGES_MAX) -> None:
    """Forget all but the most recently used images, and the blobs that no other image names."""
    by_use = sorted(store.built_files(), key=lambda path: path.stat().st_mtime, reverse=True)
    if len(by_use) <= images_max:
        return
    for path in by_use[images_max:]:
        path.unlink(missing_ok=True)
    _remove_blobs(_named_blobs())


def _named_blobs() -> set[str]:
    blobs = store.blob_store()
    named: set[str] = set()
    for path in store.built_files():
        digest = path.read_text()
        try:
            named |= {digest, *read_manifest(blobs, digest).blobs}
        except ToolError:
            # What is left of a damaged image is no reason to keep anything.
            path.unlink(missing_ok=True)
    return {digest.removeprefix("sha256:") for digest in named}


def _remove_blobs(kept: set[str]) -> None:
    oldest = time.time() - _SPARED_SECONDS
    for path in (store.blob_store().folder / "sha256").iterdir():
        if path.name not in kept and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
