"""Build images whose inputs changed since they were last built on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.cluster import packages
from tools.cluster.errors import ClusterError
from tools.cluster.flocks import locked
from tools.cluster.progress import say
from tools.images import base, context, store
from tools.images.builders import Builder, selected_builder
from tools.images.catalog import find_images
from tools.images.oci import add_folder
from tools.images.pruning import prune

_LOCK_SECONDS = 3600.0


@contextmanager
def _building() -> Iterator[Builder]:
    with locked(store.images_folder(), "building images", _LOCK_SECONDS):
        store.remove_unfinished()
        prune()
        with selected_builder() as builder:
            yield builder


def build_base() -> str:
    """Make the Debian base image, where there is no Docker engine; return its digest."""
    with locked(store.images_folder(), "building images", _LOCK_SECONDS):
        store.remove_unfinished()
        packages.ensure(packages.IMAGE_PACKAGES)
        return base.ensure()


def build_images(checkout: Path, names: list[str]) -> list[store.BuiltImage]:
    """Build the named images, or all; record their digests in build/images.json."""
    known = find_images(checkout)
    if unknown := sorted(set(names) - set(known)):
        raise ClusterError(f"no Containerfile for {unknown}; there are: {', '.join(known)}")
    with _building() as builder:
        return [_build(checkout, name, known[name], builder) for name in names or sorted(known)]


def build_containerfile(checkout: Path, name: str, containerfile: Path) -> store.BuiltImage:
    """Build one Containerfile of the checkout, wherever it lies."""
    with _building() as builder:
        return _build(checkout, name, containerfile, builder)


def _build(checkout: Path, name: str, containerfile: Path, builder: Builder) -> store.BuiltImage:
    inputs = context.inputs_digest(checkout, containerfile, builder.recipe)
    digest = store.built_digest(inputs)
    if digest is None:
        say(f"building {name}")
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="quorate-context-") as staged:
            context.stage(checkout, containerfile, Path(staged))
            digest = builder.build(name, containerfile, Path(staged))
        store.remember(inputs, digest)
        say(f"built {name} in {time.monotonic() - started:.1f} s")
    built = store.record(checkout, name, digest, inputs)
    say(f"{name}: {built.reference}")
    return built


def build_model(checkout: Path, folder: Path, name: str) -> store.BuiltImage:
    """Make an image whose only content is a folder's files, to be mounted as an image volume."""
    if not folder.is_dir():
        raise ClusterError(f"{folder} is no folder")
    digest = add_folder(store.blob_store(), folder, {})
    store.remember(digest, digest)
    # Nothing but the files goes into the image, so its digest stands for its inputs too.
    built = store.record(checkout, name, digest, digest)
    say(f"{name}: {built.reference}")
    return built
