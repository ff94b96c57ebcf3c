"""Remembered failures in a directory, a file each, so that they outlive the process.

A file appears whole or not at all. One that cannot be read stops the member from starting: going on
without it would forget a failure, and whoever looks after the cluster has to decide that.
"""

import base64
import contextlib
import hashlib
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.errors import InvalidInput, QuorateError
from quorate.evidence.intoto import read_document
from quorate.statements import DigestText, Identifier, Instant, convert
from quorate_consensus import durable
from quorate_consensus.failed_gates import (
    CLUSTER_BYTES,
    NAMESPACES_BYTES,
    FailedGate,
    Key,
)

SUFFIX: Final = ".json"
FILE_BYTES: Final = 2 * limits.EVIDENCE_BYTES
TOTAL_BYTES: Final = 4 * (CLUSTER_BYTES + NAMESPACES_BYTES)
"""What is read at the start; more was not written by a member."""


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    namespace: Identifier | None
    policy: Identifier
    gate: Identifier
    manifest_digest: DigestText
    made_at: Instant
    envelope: str


class FailedGateFiles:
    """One directory, of one member."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> tuple[FailedGate, ...]:
        """Read all there is. Raises InvalidInput naming the file that cannot be used."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            paths = sorted(self._directory.iterdir())
            for path in [path for path in paths if path.name.endswith(durable.TEMPORARY)]:
                path.unlink()
            files = [path for path in paths if path.name.endswith(SUFFIX)]
            total = sum(path.stat().st_size for path in files)
        except OSError as error:
            raise InvalidInput(f"cannot be used: {error}", field=str(self._directory)) from None
        if total > TOTAL_BYTES:
            raise InvalidInput(f"holds more than {TOTAL_BYTES} bytes", field=str(self._directory))
        return tuple(_read(path) for path in files)

    def put(self, failed: FailedGate) -> None:
        """Write a file and make sure that it is on disk. Raises OSError."""
        durable.replace(self._path(failed.key), _record(failed))

    def remove(self, key: Key) -> None:
        """Delete a file, if it is there. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._path(key).unlink()
            durable.sync_directory(self._directory)

    def _path(self, key: Key) -> Path:
        text = canonical([key.scope, key.policy, key.gate, key.manifest_digest])
        return self._directory / f"{hashlib.sha256(text).hexdigest()}{SUFFIX}"


def _record(failed: FailedGate) -> bytes:
    envelope = base64.b64encode(failed.document.data).decode("ascii")
    key = failed.key
    record = _Record(
        1, key.scope, key.policy, key.gate, key.manifest_digest, failed.made_at, envelope
    )
    return msgspec.json.encode(record)


def _read(path: Path) -> FailedGate:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        document = parse_object(data, bytes_max=FILE_BYTES, what="failed gate")
        record = convert(document, _Record, "failed gate")
        key = Key(record.namespace, record.policy, record.gate, record.manifest_digest)
        envelope = base64.b64decode(record.envelope, validate=True)
        return FailedGate(key, record.made_at, read_document(envelope))
    except (OSError, ValueError, QuorateError) as error:
        raise InvalidInput(
            f"cannot be read: {error}",
            field=str(path),
            fix="restore the file; deleting it forgets a failed gate",
        ) from None
