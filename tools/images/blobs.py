"""A content-addressed store of image blobs, shared by all images and checkouts.

Images share their base and their dependencies; a changed source file adds one small blob.
Layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md#blobs
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tools.cluster.errors import ToolError

UNFINISHED = ".unfinished-"
_COPY_BYTES = 1024 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BadImage(ToolError):
    """A blob is missing or malformed, or no image for this machine is in what was read."""


def sha256_digest(data: bytes) -> str:
    """The digest in OCI's notation."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class BlobStore:
    """Blobs by digest in a folder; each appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sha256").mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the blob with this digest lies; BadImage when it is no sha256 digest."""
        if not _DIGEST.fullmatch(digest):
            raise BadImage(f"not a sha256 digest: {digest[:100]!r}")
        return self.folder / "sha256" / digest.removeprefix("sha256:")

    def holds(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self.path(digest).is_file()

    def read(self, digest: str, limit_bytes: int) -> bytes:
        """A small blob's content, checked against its digest."""
        try:
            with self.path(digest).open("rb") as file:
                data = file.read(limit_bytes + 1)
        except FileNotFoundError as error:
            raise BadImage(f"no blob {digest}") from error
        if len(data) > limit_bytes or sha256_digest(data) != digest:
            raise BadImage(f"the blob {digest} is too large or does not match its digest")
        return data

    @contextmanager
    def _unfinished(self) -> Iterator[IO[bytes]]:
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=UNFINISHED, delete=False) as file:
            try:
                yield file
            except BaseException:
                os.unlink(file.name)
                raise

    def add_bytes(self, data: bytes) -> str:
        """Store data; return its digest."""
        digest = sha256_digest(data)
        with self._unfinished() as file:
            file.write(data)
        Path(file.name).replace(self.path(digest))
        return digest

    def add_stream(self, stream: IO[bytes]) -> tuple[str, int]:
        """Store what can be read from a stream; return its digest and size in bytes."""
        hashed = hashlib.sha256()
        size = 0
        with self._unfinished() as file:
            while block := stream.read(_COPY_BYTES):
                hashed.update(block)
                file.write(block)
                size += len(block)
        digest = f"sha256:{hashed.hexdigest()}"
        Path(file.name).replace(self.path(digest))
        return digest, size
