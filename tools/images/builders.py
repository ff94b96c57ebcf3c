"""The two builders of images: Docker where an engine answers, buildah elsewhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tools.cluster import packages
from tools.cluster.cache import cache_root
from tools.cluster.command import OWN_MOUNTS, run
from tools.cluster.docker import engine_answers
from tools.cluster.errors import CommandFailed
from tools.images import base, store
from tools.images.oci import add_archive, own_platform, read_manifest, write_layout

_BUILD_SECONDS = 1800
_LAYERS_MAX = 400
_CERTIFICATES = "/etc/ssl/certs"


class Builder(Protocol):
    """Builds one Containerfile into the store of blobs."""

    @property
    def recipe(self) -> list[str]:
        """What else decides an image's content, for the digest of its inputs."""

    def build(self, name: str, containerfile: Path, context: Path) -> str:
        """Build; return the image's digest."""


class DockerBuilder:
    """Docker 25 or newer, whose ``docker save`` writes an OCI layout. Not run by our own CI."""

    @property
    def recipe(self) -> list[str]:
        """The Containerfiles' own default base."""
        return ["docker"]

    def build(self, name: str, containerfile: Path, context: Path) -> str:
        """Build with BuildKit and store what it saves."""
        tag = f"quorate-build/{name}:{store.TAG}"
        argv: list[str | Path] = ["docker", "build", "--provenance=false", "--tag", tag]
        run([*argv, "--file", containerfile, context], timeout_seconds=_BUILD_SECONDS)
        with tempfile.TemporaryDirectory(dir=store.images_folder(), prefix=".docker-") as folder:
            saved = Path(folder) / "image.tar"
            run(["docker", "save", "--output", saved, tag], timeout_seconds=_BUILD_SECONDS)
            return add_archive(store.blob_store(), saved)


class BuildahBuilder:
    """buildah in chroots, with a store of its own in the cache and the debootstrapped base."""

    def __init__(self, runroot: Path) -> None:
        self._store = cache_root() / "buildah"
        # Counts of mounts lie here; they must not outlive the mount namespaces they count in.
        self._runroot = runroot
        self._driver = ""

    @property
    def recipe(self) -> list[str]:
        """The base image's recipe."""
        return ["buildah", base.recipe_digest()]

    def build(self, name: str, containerfile: Path, context: Path) -> str:
        """Build on the cached base image, then copy new blobs to the store."""
        self._bound_layers()
        self._ensure_bases()
        arguments = {"BASE": self._base_name(), "BUILDER": self._builder_name()}
        self._build(containerfile, context, name, arguments)
        return self._export(self._image_name(name))

    def _export(self, name: str) -> str:
        blobs = store.blob_store()
        with tempfile.TemporaryDirectory(dir=store.images_folder(), prefix=".oci-") as folder:
            layout = Path(folder) / "layout"
            argv: list[str | Path] = [*OWN_MOUNTS, "skopeo", "copy", "--quiet"]
            argv += ["--dest-oci-accept-uncompressed-layers"]
            argv += ["--dest-shared-blob-dir", blobs.folder]
            argv += [self._stored(name), f"oci:{layout}:{store.TAG}"]
            run(argv, timeout_seconds=_BUILD_SECONDS)
            index = json.loads((layout / "index.json").read_text())
        return read_manifest(blobs, own_platform(index)["digest"]).digest

    def _stored(self, name: str) -> str:
        """An image of the builder's store, as skopeo names it."""
        driver = self._chosen_driver()
        return f"containers-storage:[{driver}@{self._store / driver}+{self._runroot}]{name}"

    @staticmethod
    def _image_name(tag: str) -> str:
        return f"localhost/quorate-build:{tag}"

    def _base_name(self) -> str:
        return f"localhost/quorate-base:{base.recipe_digest()[7:23]}"

    def _builder_name(self) -> str:
        return self._image_name(f"builder-{base.recipe_digest()[7:23]}")

    def _chosen_driver(self) -> str:
        if not self._driver:
            self._driver = self._probe_driver()
        return self._driver

    def _buildah(self, *words: str | Path) -> str:
        return self._with_driver(self._chosen_driver(), *words)

    def _with_driver(self, driver: str, *words: str | Path) -> str:
        argv: list[str | Path] = [*OWN_MOUNTS, "buildah", "--storage-driver", driver]
        argv += ["--root", self._store / driver, "--runroot", self._runroot]
        return run([*argv, *words], timeout_seconds=_BUILD_SECONDS)

    def _probe_driver(self) -> str:
        # overlay cannot lie on every file system (not on another overlay, for one); vfs copies.
        try:
            self._with_driver("overlay", "rm", "--all")
        except CommandFailed:
            return "vfs"
        return "overlay"

    def _has(self, name: str) -> bool:
        try:
            self._buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", name)
        except CommandFailed:
            return False
        return True

    def _bound_layers(self) -> None:
        # Every change leaves layers behind that buildah keeps for ever as its cache.
        if len(self._buildah("images", "--all", "--quiet").split()) > _LAYERS_MAX:
            self._buildah("rmi", "--all", "--force")

    def _ensure_bases(self) -> None:
        if not self._has(self._base_name()):
            digest = base.ensure()
            with tempfile.TemporaryDirectory() as folder:
                write_layout(store.blob_store(), digest, Path(folder))
                # Not `buildah pull`: it makes a name of the folder's, and not every one will do.
                copy = ["skopeo", "copy", "--quiet", f"oci:{folder}"]
                argv = [*OWN_MOUNTS, *copy, self._stored(self._base_name())]
                run(argv, timeout_seconds=_BUILD_SECONDS)
        if not self._has(self._builder_name()):
            with tempfile.TemporaryDirectory() as empty:
                tag = self._builder_name().rpartition(":")[2]
                arguments = {"BASE": self._base_name()}
                self._build(base.builder_recipe(), Path(empty), tag, arguments)

    def _build(
        self, containerfile: Path, context: Path, tag: str, arguments: dict[str, str]
    ) -> None:
        words: list[str | Path] = ["bud", "--isolation", "chroot", "--network", "host", "--layers"]
        # The host's CA bundle: behind a proxy that inspects TLS, pip trusts nothing else.
        words += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro", "--timestamp", "0"]
        for name, value in arguments.items():
            words += ["--build-arg", f"{name}={value}"]
        words += ["--format", "oci", "--tag", self._image_name(tag), "--file", containerfile]
        self._buildah(*words, context)


@contextmanager
def selected_builder() -> Iterator[Builder]:
    """Docker where an engine answers, else buildah, installed if need be."""
    if engine_answers():
        yield DockerBuilder()
        return
    packages.ensure(packages.IMAGE_PACKAGES)
    with tempfile.TemporaryDirectory(prefix="quorate-buildah-") as runroot:
        yield BuildahBuilder(Path(runroot))
