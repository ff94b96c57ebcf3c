"""Build images whose inputs changed since they were last built on this machine."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tools.cluster import packages
from tools.cluster.cache import cache_root
from tools.cluster.errors import ClusterError
from tools.cluster.flocks import locked
from tools.cluster.progress import say
from tools.images import context, store
from tools.images.builders import BuildahBuilder, Builder, select_builder
from tools.images.catalog import find_images
from tools.images.oci import open_archive, write_folder_image

_LOCK_SECONDS = 3600.0


def build_images(checkout: Path, names: list[str]) -> list[store.BuiltImage]:
    """Build the named images, or all; record their digests in build/images.json."""
    known = find_images(checkout)
    if unknown := sorted(set(names) - set(known)):
        raise ClusterError(f"no Containerfile for {unknown}; there are: {', '.join(known)}")
    builder = select_builder()
    if isinstance(builder, BuildahBuilder):
        packages.ensure(packages.IMAGE_PACKAGES)
    images = cache_root() / "images"
    images.mkdir(exist_ok=True)
    with locked(images, "building images", _LOCK_SECONDS):
        return [_build(checkout, name, known[name], builder) for name in names or sorted(known)]


def _build(checkout: Path, name: str, containerfile: Path, builder: Builder) -> store.BuiltImage:
    inputs = context.inputs_digest(checkout, containerfile, builder.recipe)
    target = store.archive_path(inputs)
    if not target.exists():
        say(f"building {name}")
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="quorate-context-") as staged:
            context.stage(checkout, containerfile, Path(staged))
            builder.build(containerfile, Path(staged), target)
        say(f"built {name} in {time.monotonic() - started:.1f} s")
    with open_archive(target) as archive:
        digest = archive.manifest().digest
    built = store.record(checkout, name, digest, inputs)
    say(f"{name}: {built.reference}")
    return built


def build_model(checkout: Path, folder: Path, name: str) -> store.BuiltImage:
    """Make an image whose only content is a folder's files, to be mounted as an image volume."""
    if not folder.is_dir():
        raise ClusterError(f"{folder} is no folder")
    images = cache_root() / "images"
    images.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=images, prefix=".model-") as temporary:
        archive = Path(temporary) / "model.tar"
        digest = write_folder_image(folder, {}, archive)
        # The archive's digest is the digest of its inputs: nothing else goes into it.
        archive.replace(store.archive_path(digest))
    built = store.record(checkout, name, digest, digest)
    say(f"{name}: {built.reference}")
    return built
