"""A model's manifest: every file with its digest, and the one digest that names the model.

``manifestDigest`` is the SHA-256 of the RFC 8785 form of
``{"method","hash_type","shard_size","resources":[{"name","algorithm","digest"}]}`` with resources
sorted by name. Unlike the OMS root digest it binds the files' names (see docs/adr).
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

    ``shard_size`` is None: files are hashed whole.
    """

    files: Mapping[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object whose canonical form is hashed."""
        return {
            "method": "files",
            "hash_type": "sha256",
            "shard_size": None,
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

        OMS orders paths part by part (``a/x`` before ``a-b/x``), unlike :attr:`document`.
        """
        root = hashlib.sha256()
        for name in sorted(self.files, key=lambda name: name.split("/")):
            root.update(bytes.fromhex(self.files[name]))
        return root.hexdigest()


def manifest(entries: Iterable[tuple[str, str]]) -> Manifest:
    """Build a manifest from ``(name, sha256 hex)`` pairs.

    Raises InvalidInput for a bad name or digest, a name listed twice, or two names that a file
    system which ignores case would take for one.
    """
    files: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, digest in entries:
        check_name(name)
        if len(digest) != DIGEST_HEX["sha256"] or not _HEX.match(digest):
            raise InvalidInput("must be 64 lower-case hex digits", field=f"{name[:80]}: digest")
        twin = folded.setdefault(name.casefold(), name)
        if name in files or twin != name:
            raise InvalidInput(f"collides with {twin[:80]}", field=name[:80])
        files[name] = digest
        if len(files) > limits.BUNDLE_FILES:
            raise LimitExceeded(f"more than {limits.BUNDLE_FILES} files")
    if not files:
        raise InvalidInput("a model must have at least one file")
    return Manifest(files)


def parse_manifest(document: Any) -> Manifest:
    """Read the JSON object that :attr:`Manifest.document` gives; anything else is InvalidInput."""
    head = {"method": "files", "hash_type": "sha256", "shard_size": None}
    if not isinstance(document, dict) or set(document) != {*head, "resources"}:
        raise InvalidInput("manifest must have method, hash_type, shard_size and resources")
    for key, expected in head.items():
        if document[key] != expected:
            raise InvalidInput(f"must be {expected!r}", field=key)
    resources = document["resources"]
    if not isinstance(resources, list):
        raise InvalidInput("must be a list", field="resources")
    return manifest(_entry(resource) for resource in resources)


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
