"""The vote log: an append-only file of checksummed records.

A record is its length and its CRC-32, four bytes each, big-endian, and its bytes. What a crash left
half-written at the end is cut off: it was never said. A bad record further up is damage, and
whoever looks after the cluster has to decide: going on could contradict what was said.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from quorate.errors import InvalidInput
from quorate_consensus import durable

MAGIC: Final = b"quorate-votes/1\n"
RECORD_BYTES: Final = 8_192
FILE_BYTES: Final = 2**33
GROUP_BYTES: Final = 256 * 1024
"""Written at once, and then made certain, before anything more is written."""
_HEAD = struct.Struct(">II")


def pack(record: bytes) -> bytes:
    """The bytes that are appended for ``record``."""
    if not 0 < len(record) <= RECORD_BYTES:
        raise InvalidInput(f"a record has 1 to {RECORD_BYTES} bytes, not {len(record)}")
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def _next(file: BinaryIO) -> bytes | None:
    """The record that begins here; None if there is no whole, intact one."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    if not 0 < length <= RECORD_BYTES:
        return None
    record = file.read(length)
    return record if len(record) == length and zlib.crc32(record) == checksum else None


def records(path: Path) -> Iterator[tuple[bytes, int]]:
    """Each record with the offset at which it ends, up to the first that is not intact.

    Raises InvalidInput if the file is no vote log or too large.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > FILE_BYTES:
                raise InvalidInput(f"has more than {FILE_BYTES} bytes", field=str(path))
            if file.read(len(MAGIC)) != MAGIC:
                raise InvalidInput("is no vote log", field=str(path))
            end = len(MAGIC)
            while (record := _next(file)) is not None:
                end += _HEAD.size + len(record)
                yield record, end
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None


def is_damaged(path: Path, end: int) -> bool:
    """Whether more follows ``end``, where reading stopped, than a crash can have left unfinished.

    One group is written at a time and the next only after it is on disk. Within a group a crash may
    leave any part, in any order; beyond it, it leaves nothing.
    """
    return path.stat().st_size - end > GROUP_BYTES


def create(path: Path) -> None:
    """Make an empty log, on disk for certain. Raises OSError, also if it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, MAGIC)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    durable.sync_directory(path.parent)
