"""Where built images are kept: blobs in the cache, their digests in build/images.json."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.cluster.cache import cache_root
from tools.cluster.flocks import locked
from tools.cluster.naming import IMAGE_PREFIX
from tools.images.blobs import UNFINISHED, BlobStore

TAG = "dev"
_LOCK_SECONDS = 60.0
_UNFINISHED_SECONDS = 3600.0


@dataclass(frozen=True)
class BuiltImage:
    """One line of build/images.json."""

    reference: str
    """What pods name: by digest, on every machine through the same registry name."""

    digest: str
    inputsDigest: str
    """Digest of everything the image was built from."""


def images_folder() -> Path:
    """The image tool's part of the cache."""
    folder = cache_root() / "images"
    (folder / "built").mkdir(parents=True, exist_ok=True)
    return folder


def blob_store() -> BlobStore:
    """The blobs of all images that were built on this machine."""
    return BlobStore(images_folder() / "blobs")


def remove_unfinished() -> None:
    """Remove what killed commands left; to be called under the lock of the build."""
    for folder in images_folder().glob(".*"):
        shutil.rmtree(folder)
    # Blobs are written without the lock too, so only old leftovers are certain to be ones.
    oldest = time.time() - _UNFINISHED_SECONDS
    for path in blob_store().folder.glob(f"{UNFINISHED}*"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _built_path(inputs_digest: str) -> Path:
    return images_folder() / "built" / inputs_digest.removeprefix("sha256:")


def built_digest(inputs_digest: str) -> str | None:
    """The digest of the image that was built from these inputs, if it still is in the cache."""
    path = _built_path(inputs_digest)
    try:
        digest = path.read_text()
        # The time of the last use decides what is pruned.
        os.utime(path)
    except FileNotFoundError:
        return None
    return digest if blob_store().holds(digest) else None


def built_files() -> list[Path]:
    """One file per image in the cache; its time is that of the image's last use."""
    folder = images_folder() / "built"
    return [path for path in folder.iterdir() if not path.suffix]


def remember(inputs_digest: str, digest: str) -> None:
    """Record which image came of these inputs, when all its blobs are stored."""
    path = _built_path(inputs_digest)
    temporary = path.with_suffix(".new")
    temporary.write_text(digest)
    temporary.replace(path)


def repository(name: str) -> str:
    """The repository in the registry for an image's name."""
    return f"{IMAGE_PREFIX.partition('/')[2]}/{name}"


def _record_path(checkout: Path) -> Path:
    return checkout / "build" / "images.json"


def read(checkout: Path) -> dict[str, BuiltImage]:
    """Every image recorded for the checkout."""
    try:
        document = json.loads(_record_path(checkout).read_text())
    except FileNotFoundError:
        return {}
    return {name: BuiltImage(**fields) for name, fields in document.items()}


def record(checkout: Path, name: str, digest: str, inputs_digest: str) -> BuiltImage:
    """Write an image's line; safe beside another build of the same checkout."""
    built = BuiltImage(f"{IMAGE_PREFIX}/{name}@{digest}", digest, inputs_digest)
    path = _record_path(checkout)
    path.parent.mkdir(exist_ok=True)
    with locked(path.parent, "writing build/images.json", _LOCK_SECONDS):
        images = read(checkout) | {name: built}
        document = {key: asdict(images[key]) for key in sorted(images)}
        temporary = path.with_suffix(".json.new")
        temporary.write_text(json.dumps(document, indent=2) + "\n")
        temporary.replace(path)
    return built
