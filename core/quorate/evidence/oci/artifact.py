"""Manifests and indexes, as far as finding attached documents needs them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import InvalidInput, LimitExceeded

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
"""The type of a blob that stands for nothing."""

DESCRIPTORS_MAX = 50_000
"""Entries of one index; its bytes bound it further."""
LAYERS_MAX = limits.DOCUMENTS_PER_SOURCE
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TYPE_CHARS = 255


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What one blob or manifest must be."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    """Of a layer. Bounded by the manifest's bytes."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest that is attached to something."""

    artifact_type: str
    subject: Descriptor | None
    layers: tuple[Descriptor, ...]


def parse_index(data: bytes) -> tuple[Descriptor, ...]:
    """The entries of an image index. Raises InvalidInput.

    Entries whose digest is of another algorithm than SHA-256 are left out: nobody here can check
    them.
    """
    document = _document(data, INDEX_TYPE, "index", limits.OCI_INDEX_BYTES)
    entries = _list(document, "manifests", DESCRIPTORS_MAX)
    found = (_descriptor(entry, f"manifests[{index}]") for index, entry in enumerate(entries))
    return tuple(entry for entry in found if entry is not None)


def parse_artifact(data: bytes) -> Artifact:
    """A manifest with its subject and layers. Raises InvalidInput."""
    document = _document(data, MANIFEST_TYPE, "manifest", limits.OCI_ARTIFACT_BYTES)
    config = _required(document.get("config"), "config")
    layers = _list(document, "layers", LAYERS_MAX)
    subject = document.get("subject")
    return Artifact(
        artifact_type=_type(document.get("artifactType", config.media_type), "artifactType"),
        subject=None if subject is None else _required(subject, "subject"),
        layers=tuple(_layer(layer, f"layers[{i}]") for i, layer in enumerate(layers)),
    )


def _document(data: bytes, media_type: str, what: str, bytes_max: int) -> dict[str, Any]:
    document = parse_object(data, bytes_max=bytes_max, what=what)
    if document.get("schemaVersion") != 2:
        raise InvalidInput("must be 2", field=f"{what}.schemaVersion")
    if document.get("mediaType", media_type) != media_type:
        raise InvalidInput(f"must be {media_type}", field=f"{what}.mediaType")
    return document


def _list(document: Mapping[str, Any], name: str, length_max: int) -> list[Any]:
    entries = document.get(name)
    if not isinstance(entries, list):
        raise InvalidInput("must be a list", field=name)
    if len(entries) > length_max:
        raise LimitExceeded(f"has {len(entries)} entries; the limit is {length_max}", field=name)
    return entries


def _layer(value: Any, field: str) -> Descriptor:
    found = _required(value, field)
    notes = value.get("annotations") or {}
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise InvalidInput("must hold texts", field=f"{field}.annotations")
    return replace(found, annotations=tuple(sorted(notes.items())))


def _required(value: Any, field: str) -> Descriptor:
    found = _descriptor(value, field)
    if found is None:
        raise InvalidInput("must be by SHA-256", field=f"{field}.digest")
    return found


def _descriptor(value: Any, field: str) -> Descriptor | None:
    if not isinstance(value, dict):
        raise InvalidInput("must be an object", field=field)
    digest, size = value.get("digest"), value.get("size")
    if not isinstance(digest, str):
        raise InvalidInput("must be a string", field=f"{field}.digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidInput("must be a number of bytes", field=f"{field}.size")
    media_type = _type(value.get("mediaType"), f"{field}.mediaType")
    artifact_type = _type(value.get("artifactType", ""), f"{field}.artifactType")
    if _DIGEST.fullmatch(digest) is None:
        return None
    return Descriptor(media_type, digest, size, artifact_type)


def _type(value: Any, field: str) -> str:
    if not isinstance(value, str) or len(value) > _TYPE_CHARS or not value.isprintable():
        raise InvalidInput("must be a media type", field=field)
    return value
