"""in-toto's ResourceDescriptor and digest set, as far as gates use them.

The framework tells consumers to ignore fields they do not know, and predicates of others are read
that way. Source: https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
"""

import re
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Uri = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
DigestSet = Annotated[dict[Text, Text], msgspec.Meta(min_length=1, max_length=16)]
Annotations = Annotated[dict[str, Any], msgspec.Meta(max_length=256)]

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", re.ASCII)


class Open(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a predicate whose unknown fields are ignored, as its specification says."""


class Descriptor(Open, frozen=True):
    """A resource; at least one of uri, digest and content is there."""

    name: Text | None = None
    uri: Uri | None = None
    digest: DigestSet | None = None
    content: Annotated[str, msgspec.Meta(max_length=65_536)] | None = None
    download_location: Uri | None = None
    media_type: Text | None = None
    annotations: Annotations | None = None


class Identified(Open, frozen=True):
    """A party, by URI."""

    id: Uri


def check_descriptor(value: Descriptor, field: str) -> None:
    """Raise InvalidInput unless it says which resource is meant."""
    if value.uri is None and value.digest is None and value.content is None:
        raise InvalidInput("must have uri, digest or content", field=field)
    if value.digest is not None:
        sha256_of(value.digest, field)


def check_uri(text: str, field: str) -> None:
    """Raise InvalidInput for what is no absolute URI."""
    if not _URI.match(text):
        raise InvalidInput("must be an absolute URI", field=field)


def sha256_of(digests: dict[str, str] | None, field: str) -> str | None:
    """``sha256:<hex>`` of a digest set; None if it has none. InvalidInput for a malformed one."""
    digest = (digests or {}).get("sha256")
    if digest is None:
        return None
    if not _SHA256.match(digest):
        raise InvalidInput("must be 64 lower-case hex digits", field=f"{field}.digest.sha256")
    return f"sha256:{digest}"
