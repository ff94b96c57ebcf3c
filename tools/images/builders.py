"""The two builders of images: Docker where an engine answers, buildah elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from tools.cluster.cache import cache_root
from tools.cluster.command import run
from tools.cluster.docker import engine_answers
from tools.cluster.errors import ClusterError, CommandFailed
from tools.images import base

_BUILD_SECONDS = 1800
_CERTIFICATES = "/etc/ssl/certs"


class Builder(Protocol):
    """Builds one Containerfile into an OCI archive."""

    @property
    def recipe(self) -> list[str]:
        """What else decides an image's content, for the digest of its inputs."""

    def build(self, containerfile: Path, context: Path, target: Path) -> None:
        """Build; the archive appears whole or not at all."""


class DockerBuilder:
    """Docker 25 or newer, whose ``docker save`` writes an OCI layout. Not run by our own CI."""

    @property
    def recipe(self) -> list[str]:
        """The Containerfiles' own default base."""
        return ["docker"]

    def build(self, containerfile: Path, context: Path, target: Path) -> None:
        """Build with BuildKit and save the image."""
        tag = f"localhost/quorate-build:{target.stem}"
        argv: list[str | Path] = [
            "docker",
            "build",
            "--provenance=false",
            "--tag",
            tag,
            "--file",
            containerfile,
        ]
        run([*argv, context], timeout_seconds=_BUILD_SECONDS)
        unfinished = target.with_suffix(".unfinished")
        run(["docker", "save", "--output", unfinished, tag], timeout_seconds=_BUILD_SECONDS)
        run(["docker", "image", "rm", tag])
        unfinished.replace(target)


class BuildahBuilder:
    """buildah in chroots, with a store of its own in the cache and the debootstrapped base."""

    def __init__(self) -> None:
        self._store = cache_root() / "buildah"
        self._driver = ""

    @property
    def recipe(self) -> list[str]:
        """The base image's recipe."""
        return ["buildah", base.recipe_digest()]

    def build(self, containerfile: Path, context: Path, target: Path) -> None:
        """Build on the cached base image."""
        self._ensure_bases()
        arguments = {"BASE": self._base_name(), "BUILDER": self._builder_name()}
        self._build(containerfile, context, target.stem, arguments)
        unfinished = target.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        name = self._image_name(target.stem)
        push = ["push", "--disable-compression", name, f"oci-archive:{unfinished}"]
        self._buildah(*push)
        self._buildah("rmi", name)
        unfinished.replace(target)

    @staticmethod
    def _image_name(tag: str) -> str:
        return f"localhost/quorate-build:{tag}"

    def _base_name(self) -> str:
        return f"localhost/quorate-base:{base.recipe_digest()[7:23]}"

    def _builder_name(self) -> str:
        return self._image_name(f"builder-{base.recipe_digest()[7:23]}")

    def _buildah(self, *words: str | Path) -> str:
        if not self._driver:
            self._driver = self._probe_driver()
        return self._with_driver(self._driver, *words)

    def _with_driver(self, driver: str, *words: str | Path) -> str:
        argv: list[str | Path] = ["buildah", "--storage-driver", driver]
        argv += ["--root", self._store / driver, "--runroot", self._store / f"{driver}-run"]
        return run([*argv, *words], timeout_seconds=_BUILD_SECONDS)

    def _probe_driver(self) -> str:
        # overlay cannot lie on every file system (not on another overlay, for one); vfs copies.
        try:
            container = self._with_driver("overlay", "from", "scratch").strip()
            self._with_driver("overlay", "mount", container)
            self._with_driver("overlay", "rm", container)
        except CommandFailed:
            shutil.rmtree(self._store / "overlay", ignore_errors=True)
            return "vfs"
        return "overlay"

    def _has(self, name: str) -> bool:
        try:
            self._buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", name)
        except CommandFailed:
            return False
        return True

    def _ensure_bases(self) -> None:
        if not self._has(self._base_name()):
            loaded = self._buildah("pull", "--quiet", f"oci-archive:{base.archive()}")
            self._buildah("tag", loaded.split()[-1], self._base_name())
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


def select_builder() -> Builder:
    """Docker where an engine answers, else buildah, which must be installed."""
    if engine_answers():
        return DockerBuilder()
    if shutil.which("buildah") is None:
        raise ClusterError("neither a Docker engine answers nor is buildah installed")
    return BuildahBuilder()
