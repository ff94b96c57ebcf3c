"""Where built images are kept: archives in the cache, their digests in build/images.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.cluster.cache import cache_root
from tools.cluster.flocks import locked
from tools.cluster.naming import IMAGE_PREFIX

TAG = "dev"
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class BuiltImage:
    """One line of build/images.json."""

    reference: str
    """What pods name: by digest, on every machine through the same registry name."""

    digest: str
    inputsDigest: str
    """Digest of everything the image was built from; also names the archive in the cache."""


def archive_path(inputs_digest: str) -> Path:
    """The archive of the image that was built from these inputs (it may not exist yet)."""
    folder = cache_root() / "images"
    folder.mkdir(exist_ok=True)
    return folder / f"{inputs_digest.removeprefix('sha256:')[:32]}.tar"


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
