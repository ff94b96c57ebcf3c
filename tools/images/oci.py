"""OCI image archives: write one from folders, read one that a builder wrote.

Layers are not compressed: they travel over loopback only, and a digest then depends on nothing
but the content (a compressed layer's digest changes with the zlib version).
Format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_COPY_BYTES = 1024 * 1024
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class BadArchive(Exception):
    """The archive is not an OCI image for this machine."""


def architecture() -> str:
    """This machine's architecture in OCI's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def canonical_json(document: Any) -> bytes:
    """JSON with one possible spelling, because digests are taken over it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def sha256_digest(data: bytes) -> str:
    """The digest in OCI's notation."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _normalized(member: tarfile.TarInfo, keep_owners: bool) -> tarfile.TarInfo:
    member.uname = member.gname = ""
    member.mtime = 0
    if not keep_owners:
        member.uid = member.gid = 0
        # Who checked the files out, under which umask, must not change the digest.
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def write_layer(folder: Path, output: IO[bytes], *, keep_owners: bool = False) -> None:
    """Write a folder's content as a tar in sorted order, without times.

    Owners and modes become root's and 0755 or 0644, unless they are to be kept.
    """
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            member = archive.gettarinfo(path, arcname=path.relative_to(folder).as_posix())
            _normalized(member, keep_owners)
            if member.isreg():
                with path.open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)


def _file_digest(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    hashed = hashlib.sha256()
    size = 0
    while block := file.read(_COPY_BYTES):
        hashed.update(block)
        size += len(block)
    file.seek(0)
    return f"sha256:{hashed.hexdigest()}", size


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def write_image(layer: IO[bytes], runtime: dict[str, Any], target: Path) -> str:
    """Write an archive with one layer and a runtime configuration; return the image's digest.

    The archive appears whole or not at all.
    """
    layer_digest, layer_size = _file_digest(layer)
    config = canonical_json(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": runtime,
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            # buildah refuses to build on an image with fewer history lines than layers.
            "history": [{"created_by": "quorate"}],
        }
    )
    layers = [{"mediaType": _LAYER_TYPE, "digest": layer_digest, "size": layer_size}]
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": _descriptor(_CONFIG_TYPE, config),
            "layers": layers,
        }
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False, prefix=".image-") as output:
        temporary = Path(output.name)
        with tarfile.open(fileobj=output, mode="w") as archive:
            _add_bytes(archive, "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
            index = {"schemaVersion": 2, "manifests": [_descriptor(_MANIFEST_TYPE, manifest)]}
            _add_bytes(archive, "index.json", canonical_json(index))
            for blob in (config, manifest):
                _add_bytes(archive, _blob_path(sha256_digest(blob)), blob)
            member = tarfile.TarInfo(_blob_path(layer_digest))
            member.size = layer_size
            archive.addfile(member, layer)
    temporary.replace(target)
    return sha256_digest(manifest)


def write_folder_image(folder: Path, runtime: dict[str, Any], target: Path) -> str:
    """Write an archive whose only layer is the folder's content; return the image's digest."""
    with tempfile.TemporaryFile(dir=target.parent) as layer:
        write_layer(folder, layer)
        return write_image(layer, runtime, target)


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha256_digest(data), "size": len(data)}


def _blob_path(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"


@dataclass(frozen=True)
class Manifest:
    """An image's manifest: its bytes as stored, and the blobs it names."""

    digest: str
    media_type: str
    data: bytes
    blobs: tuple[str, ...]


class Archive:
    """An open OCI archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {member.name.removeprefix("./"): member for member in archive}

    def _read(self, name: str) -> bytes:
        with self._open(name) as content:
            data = content.read(_MAX_MANIFEST_BYTES + 1)
        if len(data) > _MAX_MANIFEST_BYTES:
            raise BadArchive(f"{name} is larger than {_MAX_MANIFEST_BYTES} bytes")
        return data

    def _open(self, name: str) -> IO[bytes]:
        member = self._members.get(name)
        content = self._archive.extractfile(member) if member is not None else None
        if content is None:
            raise BadArchive(f"the archive has no file {name}")
        return content

    def blob(self, digest: str) -> tuple[IO[bytes], int]:
        """A blob's content and size in bytes."""
        name = _blob_path(digest)
        return self._open(name), self._members[name].size

    def manifest(self) -> Manifest:
        """The manifest of the image for this machine; its digest is checked."""
        document = json.loads(self._read("index.json"))
        for _ in range(2):
            descriptor = self._own_platform(document.get("manifests", []))
            data = self._read(_blob_path(descriptor["digest"]))
            if sha256_digest(data) != descriptor["digest"]:
                raise BadArchive(f"the content of {descriptor['digest']} has another digest")
            document = json.loads(data)
            media_type = document.get("mediaType", descriptor["mediaType"])
            if media_type not in _INDEX_TYPES:
                blobs = [document["config"], *document["layers"]]
                digests = tuple(dict.fromkeys(blob["digest"] for blob in blobs))
                return Manifest(descriptor["digest"], media_type, data, digests)
        raise BadArchive("the archive's index is nested too deeply")

    @staticmethod
    def _own_platform(descriptors: Iterable[dict[str, Any]]) -> dict[str, Any]:
        for descriptor in descriptors:
            wanted = descriptor.get("platform", {}).get("architecture", architecture())
            if wanted == architecture():
                return descriptor
        raise BadArchive(f"the archive holds no image for {architecture()}")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive for reading."""
    with tarfile.open(path, mode="r:") as archive:
        yield Archive(archive)
