"""What reading a source gives: documents, or why there are none. And a bounded cache of bytes."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from quorate.canonical import parse_object
from quorate.errors import QuorateError

_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A bundle or envelope. ``digest`` and ``size`` are of its bytes as they were read."""

    digest: str
    size: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """A source was read. ``skipped`` of its documents are no JSON objects and count for nothing."""

    documents: tuple[Document, ...]
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A source was not read. ``reason`` is one stable word.

    ``settled``: it is known that it holds nothing that counts, so nothing read before counts.
    """

    reason: str
    message: str
    fix: str = ""
    settled: bool = False


def as_read(contents: list[bytes]) -> Read:
    """Take in the bytes of a source's documents, each once."""
    found: dict[str, Document] = {}
    skipped = 0
    for data in contents:
        try:
            parse_object(data)
        except QuorateError:
            skipped += 1
            continue
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        found[digest] = Document(digest, len(data), data.decode("utf-8").strip(_SPACE))
    return Read(tuple(found[digest] for digest in sorted(found)), skipped)


class ByteCache:
    """Bytes by their digest, the least lately used dropped first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        """What was put under this digest, if it is still here."""
        data = self._kept.get(digest)
        if data is not None:
            self._kept.move_to_end(digest)
        return data

    def put(self, digest: str, data: bytes) -> None:
        """Keep what hashes to ``digest``; the caller has checked that it does."""
        if digest in self._kept or len(data) > self._bytes_max:
            return
        self._kept[digest] = data
        self._bytes += len(data)
        while self._bytes > self._bytes_max:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)

    @property
    def bytes(self) -> int:
        """Bytes that are kept."""
        return self._bytes
