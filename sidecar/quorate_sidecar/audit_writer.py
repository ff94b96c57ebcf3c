"""Appends audit records to files of bounded size, and keeps the chain through rotation and crashes.

A record is handed to the kernel before anything leaves, so that killing this process loses none; it
reaches the disk within FLUSH_SECONDS, so that a power cut loses at most those. Files are never
changed once written: after a crash a new one begins, and says how many bytes hang over.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from quorate import limits
from quorate.audit.chain import Chain, line_hash
from quorate.audit.records import FORMAT, LINE_BYTES, Body, Head, Record
from quorate.errors import InvalidInput
from quorate.ports import Clock

FILE_BYTES = 8 * limits.MIB
LOG_BYTES = 128 * limits.MIB
"""What all files together may take; the oldest goes first."""
FLUSH_SECONDS = 1.0
"""Between two calls of :func:`flush`."""

_NAME = re.compile(r"audit-(\d{8})\.jsonl\Z")
_record = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose log it is: goes into the head of every file."""

    namespace: str
    pod: str
    pod_uid: str
    genesis: str


class AuditWriter:
    """The end of the log. :meth:`append` raises OSError if the record could not be written."""

    def __init__(
        self,
        directory: Path,
        owner: Owner,
        clock: Clock,
        *,
        file_bytes: int = FILE_BYTES,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self._directory = directory
        self._owner = owner
        self._clock = clock
        self._file_bytes = file_bytes
        # One file's worth is left for the last record of the present file, and for directories.
        self._log_bytes = log_bytes - file_bytes
        self._fd = -1
        self._size = 0
        self._number = 0
        self._chain = Chain()
        self._unflushed: list[int] = []
        """Descriptors of finished files that the disk may not hold yet."""

    @property
    def head(self) -> str:
        """Hash of the last record."""
        return self._chain.head

    def open(self) -> None:
        """Begin a new file behind what is there. Raises OSError, or InvalidInput for a log that
        cannot be continued."""
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        files = audit_files(self._directory)
        while files and b"\n" not in _end(files[-1]):
            # Not one record was finished in it: it tells nothing, and nothing is lost.
            files.pop().unlink()
        dropped = 0
        if files:
            self._chain, dropped = _resume(files[-1])
            self._number = _number(files[-1]) + 1
        self._begin(dropped)

    def append(self, body: Body) -> None:
        """Write one record. After an OSError nothing was appended and :meth:`open` may help."""
        if self._fd < 0:
            raise OSError("the audit log is not open")
        if self._size >= self._file_bytes:
            self._rotate()
        self._write(body)

    def unflushed(self) -> list[int]:
        """Descriptors to give to :func:`flush`, which closes them."""
        taken, self._unflushed = self._unflushed, []
        return [*taken, os.dup(self._fd)] if self._fd >= 0 else taken

    def close(self) -> None:
        """Stop appending. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rotate(self) -> None:
        self._unflushed.append(self._fd)
        self._fd = -1
        self._number += 1
        self._begin(0)

    def _make_room(self) -> None:
        """Remove the oldest files until the present one may grow to its full size."""
        files = audit_files(self._directory)
        sizes = [path.stat().st_size for path in files]
        taken = sum(sizes[:-1]) + self._file_bytes
        for path, size in zip(files[:-1], sizes[:-1], strict=True):
            if taken <= self._log_bytes:
                break
            path.unlink()
            taken -= size

    def _begin(self, dropped: int) -> None:
        path = self._directory / f"audit-{self._number:08}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o640)
        self._size = 0
        owner = self._owner
        self._write(
            Head(
                FORMAT, self._number, owner.namespace, owner.pod, owner.pod_uid, owner.genesis,
                dropped,
            )
        )  # fmt: skip
        self._make_room()

    def _write(self, body: Body) -> None:
        seq, head = self._chain.seq, self._chain.head
        line = self._chain.extend(body, self._clock.now())
        written = -1
        try:
            written = os.write(self._fd, line)
        finally:
            if written != len(line):
                # A part of a line may be there; only a new file can follow it.
                self._chain = Chain(seq, head)
                self.close()
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes were written: is the volume full?")
        self._size += written


def audit_files(directory: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(path for path in directory.iterdir() if _NAME.match(path.name))


def _number(path: Path) -> int:
    match = _NAME.match(path.name)
    return int(match[1]) if match else 0


def flush(descriptors: list[int]) -> None:
    """Bring files to the disk and close them. Blocks: call it in a thread. Raises OSError."""
    try:
        for fd in descriptors:
            os.fdatasync(fd)
    finally:
        for fd in descriptors:
            os.close(fd)


def _resume(path: Path) -> tuple[Chain, int]:
    """Where the chain stands at the end of a file, and how many bytes hang over."""
    whole, _, over = _end(path).rpartition(b"\n")
    last = whole.rpartition(b"\n")[2]
    try:
        record = _record.decode(last)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the last record cannot be read: {error}",
            field=path.name,
            fix="move the audit files away and keep them; a new log then begins",
        ) from None
    return Chain(record.seq + 1, line_hash(last)), len(over)


def _end(path: Path) -> bytes:
    """The last two lines' worth of a file, or all of it if it is shorter."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 2 * LINE_BYTES - 2, 0))
        return file.read()
