"""A model's manifest: every file with its digest, and the one digest that names the model.

``manifestDigest`` is the SHA-256 of the RFC 8785 form of
``{"method","hash_type","shard_size","resources":[{"name","algorithm","digest"}]}`` with resources
sorted by name. Unlike the OMS root digest it binds the files' names (see docs/adr). Where files are
hashed in shards, a resource is a shard and its name is ``FILE:START:END``, as OMS writes it.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from quorate import limits
from quorate.canonical import canonical
from quorate.errors import InvalidInput, LimitExceeded

DIGEST_HEX = {"sha256": 64}
_HEX = re.compile(r"[0-9a-f]+\Z")
_SHARD = re.compile(r"(.+):(0|[1-9][0-9]{0,15}):(0|[1-9][0-9]{0,15})", re.ASCII | re.DOTALL)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def check_digest(value: str, field: str = "digest") -> str:
    """Return ``value`` if it is ``sha256:`` and 64 lower-case hex digits, else InvalidInput."""
    if not _DIGEST.match(value):
        raise InvalidInput("must be sha256: and 64 lower-case hex digits", field=field)
    return value


def check_name(name: str) -> str:
    """Return ``name`` if it names a file inside a model's directory in exactly one way.

    Refused: absolute names, ``.`` and ``..``, empty parts, backslashes, control characters and
    anything that is not in Unicode normal form C.
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > limits.FILE_NAME_BYTES:
        raise InvalidInput(f"file name must have 1 to {limits.FILE_NAME_BYTES} bytes")
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise InvalidInput("must be a relative path without . or ..", field=name[:80])
    if "\\" in name or any(unicodedata.category(char)[0] == "C" for char in name):
        raise InvalidInput("must not hold backslashes or control characters", field=repr(name[:80]))
    if unicodedata.normalize("NFC", name) != name:
        raise InvalidInput("must be in Unicode normal form C", field=name[:80])
    return name


@dataclass(frozen=True)
class Manifest:
    """The files of a model: ``{name: sha256 hex}``, already checked. Build with :func:`manifest`.

    ``shard_size`` is None where files are hashed whole. Otherwise it is in bytes, and ``files``
    holds shards instead, by the names :func:`shard_name` gives.
    """

    files: Mapping[str, str]
    shard_size: int | None = None

    @property
    def method(self) -> str:
        """The OMS serialization method."""
        return "files" if self.shard_size is None else "shards"

    @property
    def file_count(self) -> int:
        """How many files, however many shards."""
        if self.shard_size is None:
            return len(self.files)
        return sum(1 for name in self.files if name.rsplit(":", 2)[1] == "0")

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object whose canonical form is hashed."""
        return {
            "method": self.method,
            "hash_type": "sha256",
            "shard_size": self.shard_size,
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": self.files[name]}
                for name in sorted(self.files)
            ],
        }

    @cached_property
    def digest(self) -> str:
        """``sha256:<hex>`` of the canonical form; what gates and certificates name."""
        return f"sha256:{hashlib.sha256(canonical(self.document)).hexdigest()}"

    @cached_property
    def oms_root(self) -> str:
        """Hex SHA-256 over the files' digests: the subject of an OMS statement.

        OMS orders paths part by part (``a/x`` before ``a-b/x``), unlike :attr:`document`, and
        shards by their offset.
        """
        root = hashlib.sha256()
        for name in self.oms_order:
            root.update(bytes.fromhex(self.files[name]))
        return root.hexdigest()

    @property
    def oms_order(self) -> list[str]:
        """The names in the order OMS lists them."""
        if self.shard_size is None:
            return sorted(self.files, key=lambda name: name.split("/"))

        def place(name: str) -> tuple[list[str], int]:
            path, start, _ = name.rsplit(":", 2)
            return path.split("/"), int(start)

        return sorted(self.files, key=place)


def shard_name(path: str, start: int, end: int) -> str:
    """The name of the bytes from ``start`` to before ``end`` of a file, as OMS writes it."""
    return f"{path}:{start}:{end}"


def check_shard_size(value: int) -> int:
    """Return ``value`` if shards may have that many bytes, else InvalidInput."""
    least, most = limits.SHARD_BYTES_MIN, limits.SHARD_BYTES_MAX
    if not least <= value <= most:
        raise InvalidInput(f"must be {least} to {most} bytes", field="shard_size")
    return value


def manifest(entries: Iterable[tuple[str, str]], shard_size: int | None = None) -> Manifest:
    """Build a manifest from ``(name, sha256 hex)`` pairs: files, or shards of ``shard_size``.

    Raises InvalidInput for a bad name or digest, a name listed twice, two names that a file system
    which ignores case would take for one, or shards that do not cover each file once.
    """
    most = limits.BUNDLE_FILES if shard_size is None else limits.BUNDLE_SHARDS
    listed: dict[str, str] = {}
    names = _FileNames(shard_size)
    for name, digest in entries:
        names.add(name)
        if len(digest) != DIGEST_HEX["sha256"] or not _HEX.match(digest):
            raise InvalidInput("must be 64 lower-case hex digits", field=f"{name[:80]}: digest")
        if name in listed:
            raise InvalidInput("is listed twice", field=name[:80])
        listed[name] = digest
        if len(listed) > most:
            raise LimitExceeded(f"more than {most} files or shards")
    if not listed:
        raise InvalidInput("a model must have at least one file")
    names.finish()
    return Manifest(listed, shard_size)


class _FileNames:
    """The files that entries belong to: each name good, no two alike, each covered by shards."""

    def __init__(self, shard_size: int | None) -> None:
        self._shard_size = None if shard_size is None else check_shard_size(shard_size)
        self._folded: dict[str, str] = {}
        self._shards: dict[str, list[tuple[int, int]]] = {}

    def add(self, name: str) -> None:
        """Take note of one entry's name. Raises InvalidInput."""
        path = name
        if self._shard_size is not None:
            path, start, end = _split_shard(name)
            self._shards.setdefault(path, []).append((start, end))
        # Shards repeat their file's name; whole files meet themselves when listed twice.
        known = self._folded.get(path.casefold())
        if known is None:
            check_name(path)
            self._folded[path.casefold()] = path
        elif known != path or self._shard_size is None:
            raise InvalidInput(f"collides with {known[:80]}", field=path[:80])

    def finish(self) -> None:
        """Raise InvalidInput unless every file's shards follow each other from its first byte."""
        size = self._shard_size
        if size is None:
            return
        for path, shards in self._shards.items():
            shards.sort()
            starts = [index * size for index in range(len(shards))]
            ends = [*starts[1:], shards[-1][1]]
            last = shards[-1][1] - starts[-1]
            # An empty file has one shard without a byte, so that it is listed at all.
            if shards != list(zip(starts, ends, strict=True)) or not (
                0 < last <= size or shards == [(0, 0)]
            ):
                raise InvalidInput(f"shards of {size} bytes must cover it once", field=path[:80])


def _split_shard(name: str) -> tuple[str, int, int]:
    found = _SHARD.fullmatch(name)
    # Other readers split at every colon, so a file's name must hold none.
    if found is None or ":" in found[1]:
        raise InvalidInput("must be FILE:START:END, and FILE without a colon", field=name[:80])
    return found[1], int(found[2]), int(found[3])


def parse_manifest(document: Any) -> Manifest:
    """Read the JSON object that :attr:`Manifest.document` gives; anything else is InvalidInput."""
    fields = {"method", "hash_type", "shard_size", "resources"}
    if not isinstance(document, dict) or set(document) != fields:
        raise InvalidInput("manifest must have method, hash_type, shard_size and resources")
    size = document["shard_size"]
    if size is not None and type(size) is not int:
        raise InvalidInput("must be null or a number of bytes", field="shard_size")
    for key, expected in (
        ("method", "files" if size is None else "shards"),
        ("hash_type", "sha256"),
    ):
        if document[key] != expected:
            raise InvalidInput(f"must be {expected!r}", field=key)
    resources = document["resources"]
    if not isinstance(resources, list):
        raise InvalidInput("must be a list", field="resources")
    return manifest((_entry(resource) for resource in resources), size)


def _entry(resource: Any) -> tuple[str, str]:
    if not isinstance(resource, dict) or set(resource) != {"name", "algorithm", "digest"}:
        raise InvalidInput("must have name, algorithm and digest", field="resources[]")
    if resource["algorithm"] != "sha256":
        raise InvalidInput("must be sha256", field="resources[].algorithm")
    name, digest = resource["name"], resource["digest"]
    if not isinstance(name, str) or not isinstance(digest, str):
        raise InvalidInput("name and digest must be strings", field="resources[]")
    return name, digest


def differences(expected: Manifest, actual: Manifest, *, most: int = 5) -> list[str]:
    """Say how ``actual`` differs from ``expected``, a line a file, at most ``most`` lines."""
    if expected.shard_size != actual.shard_size:
        return [f"hashed in shards of {actual.shard_size} bytes, signed of {expected.shard_size}"]
    lines = [f"missing: {name}" for name in sorted(expected.files.keys() - actual.files.keys())]
    lines += [f"not signed: {name}" for name in sorted(actual.files.keys() - expected.files.keys())]
    lines += [
        f"changed: {name}"
        for name in sorted(expected.files.keys() & actual.files.keys())
        if expected.files[name] != actual.files[name]
    ]
    if len(lines) > most:
        return [*lines[:most], f"and {len(lines) - most} more"]
    return lines
