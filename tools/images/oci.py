"""OCI images: make one from a folder, read the manifest of one that a builder made.

Layers are not compressed: they travel over loopback only, and a digest then depends on nothing
but the content (a compressed layer's digest changes with the zlib version).
Format: https://github.com/opencontainers/image-spec/blob/main/manifest.md
"""

from __future__ import annotations

import json
import platform
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tools.images.blobs import BadImage, BlobStore

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_MAX_INDEX_DEPTH = 3
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's architecture in OCI's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def canonical_json(document: Any) -> bytes:
    """JSON with one possible spelling, because digests are taken over it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _normalize(member: tarfile.TarInfo, keep_owners: bool) -> None:
    member.uname = member.gname = ""
    member.mtime = 0
    if not keep_owners:
        member.uid = member.gid = 0
        # Who checked the files out, under which umask, must not change the digest.
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644


def write_layer(folder: Path, output: IO[bytes], *, keep_owners: bool = False) -> None:
    """Write a folder's content as a tar in sorted order, without times.

    Owners and modes become root's and 0755 or 0644, unless they are to be kept.
    """
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            member = archive.gettarinfo(path, arcname=path.relative_to(folder).as_posix())
            _normalize(member, keep_owners)
            if member.isreg():
                with path.open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)


def add_folder(
    store: BlobStore, folder: Path, runtime: dict[str, Any], *, keep_owners: bool = False
) -> str:
    """Store an image whose only layer is the folder's content; return the image's digest."""
    with tempfile.TemporaryFile(dir=store.folder) as layer:
        write_layer(folder, layer, keep_owners=keep_owners)
        layer.seek(0)
        digest, size = store.add_stream(layer)
    config = canonical_json(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": runtime,
            "rootfs": {"type": "layers", "diff_ids": [digest]},
            # buildah refuses to build on an image with fewer history lines than layers.
            "history": [{"created_by": "quorate"}],
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": _descriptor(_CONFIG_TYPE, store.add_bytes(config), len(config)),
        "layers": [_descriptor(_LAYER_TYPE, digest, size)],
    }
    return store.add_bytes(canonical_json(manifest))


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


@dataclass(frozen=True)
class Manifest:
    """An image's manifest: its bytes as stored, and the blobs it names."""

    digest: str
    media_type: str
    data: bytes
    blobs: tuple[str, ...]


def read_manifest(store: BlobStore, digest: str) -> Manifest:
    """The manifest with this digest, or of this machine's image in the index with this digest."""
    for _ in range(_MAX_INDEX_DEPTH):
        data = store.read(digest, _MAX_MANIFEST_BYTES)
        document = json.loads(data)
        media_type = document.get("mediaType", _MANIFEST_TYPE)
        if media_type not in _INDEX_TYPES:
            named = [document["config"], *document["layers"]]
            return Manifest(
                digest, media_type, data, tuple(dict.fromkeys(blob["digest"] for blob in named))
            )
        digest = own_platform(document)["digest"]
    raise BadImage(f"the index {digest} is nested too deeply")


def own_platform(index: dict[str, Any]) -> dict[str, Any]:
    """The descriptor of this machine's image in an index."""
    descriptors: list[dict[str, Any]] = index.get("manifests", [])
    for descriptor in descriptors:
        wanted = descriptor.get("platform", {}).get("architecture", architecture())
        if wanted == architecture():
            return descriptor
    raise BadImage(f"the index holds no image for {architecture()}")


def write_layout(store: BlobStore, digest: str, folder: Path) -> None:
    """Make a folder an OCI layout of one stored image; the blobs stay where they are."""
    data = store.read(digest, _MAX_MANIFEST_BYTES)
    index = {"schemaVersion": 2, "manifests": [_descriptor(_MANIFEST_TYPE, digest, len(data))]}
    (folder / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(canonical_json(index))
    (folder / "blobs").symlink_to(store.folder)


def add_archive(store: BlobStore, archive: Path) -> str:
    """Store the image of an OCI archive (a tar of a layout); return its manifest's digest."""
    index: dict[str, Any] = {}
    with tarfile.open(archive, mode="r:") as layout:
        for member in layout:
            content = layout.extractfile(member)
            name = member.name.removeprefix("./")
            if content is None:
                continue
            if name == "index.json":
                index = json.loads(content.read(_MAX_MANIFEST_BYTES))
            elif name.startswith("blobs/sha256/"):
                store.add_stream(content)
    return read_manifest(store, own_platform(index)["digest"]).digest
