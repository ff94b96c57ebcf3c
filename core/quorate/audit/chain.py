"""The chain of an audit log's lines: extending it, and finding where it breaks.

An unkeyed chain proves that nothing inside it changed; it cannot prove that its end was not cut.
Compare ``Report.head`` with a hash that was kept elsewhere for that.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from quorate.audit.records import LINE_BYTES, Body, Close, Head, Open, Record
from quorate.errors import InvalidInput

ORIGIN = "0" * 64
"""``prev`` of the first line of all."""

OPEN_MAX = 100_000
"""Exchanges that may be open at one point of a log; more is not a log this project wrote."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def line_hash(line: bytes) -> str:
    """The hash that names a line: SHA-256 of it without its newline, in hex."""
    return hashlib.sha256(line).hexdigest()


class Chain:
    """The end of a chain: the next line's number and the hash it must carry."""

    __slots__ = ("head", "seq")

    def __init__(self, seq: int = 0, head: str = ORIGIN) -> None:
        self.seq = seq
        self.head = head

    def extend(self, body: Body, at: datetime) -> bytes:
        """Return the next line, newline included; ``at`` is in UTC.

        Raises InvalidInput if the line would be too long.
        """
        instant = at.isoformat(timespec="milliseconds")
        line = _encoder.encode(Record(self.seq, self.head, instant, body))
        if len(line) > LINE_BYTES:
            raise InvalidInput(f"audit record has {len(line)} bytes; the limit is {LINE_BYTES}")
        self.head = line_hash(line)
        self.seq += 1
        return line + b"\n"


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain stops being one: the index of the line (from 0) and what is wrong with it."""

    index: int
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verifier found. ``broken`` is None if every line follows the one before it."""

    records: int
    first_seq: int | None
    next_seq: int
    head: str
    broken: Break | None
    interrupted: tuple[str, ...]
    """Ids that were opened and never closed: the process died, or is still serving them."""
    truncated_bytes: int
    """Length of an unfinished last line; a crash leaves one, and it is not part of the chain."""
    counts: dict[str, int] = field(default_factory=dict)
    """Records by kind, and close records by outcome."""

    @property
    def intact(self) -> bool:
        """True if no line was changed, removed or moved."""
        return self.broken is None


class Verifier:
    """Reads lines in order, over as many files as there are, and remembers where the chain is."""

    def __init__(self, chain: Chain | None = None) -> None:
        """``chain`` is the expected start; without it, the first line's own word is taken."""
        self._chain = chain
        self._index = 0
        self._first_seq: int | None = None
        self._open: dict[str, None] = {}
        self._counts: dict[str, int] = {}
        self._broken: Break | None = None
        self._truncated = 0

    def feed(self, line: bytes) -> None:
        """Take one line with its newline. After a break, further lines change nothing."""
        if self._broken is not None:
            return
        if self._truncated and not self._resumes(line):
            self._break(f"follows an unfinished line of {self._truncated} bytes")
            return
        if not line.endswith(b"\n"):
            self._truncated = len(line)
            return
        self._take(line[:-1])

    def report(self) -> Report:
        """What was found so far."""
        chain = self._chain or Chain()
        return Report(
            records=self._index,
            first_seq=self._first_seq,
            next_seq=chain.seq,
            head=chain.head,
            broken=self._broken,
            interrupted=tuple(self._open),
            truncated_bytes=self._truncated,
            counts=dict(self._counts),
        )

    def _resumes(self, line: bytes) -> bool:
        """True if ``line`` is the head that a restarted writer begins its next file with."""
        try:
            body = _decoder.decode(line).body
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if not isinstance(body, Head) or body.dropped_bytes != self._truncated:
            return False
        self._truncated = 0
        return True

    def _take(self, line: bytes) -> None:
        if len(line) > LINE_BYTES:
            self._break(f"has {len(line)} bytes; the limit is {LINE_BYTES}")
            return
        try:
            record = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._break(f"is not an audit record: {error}")
            return
        problem = self._misplaced(record) or self._pair(record.body)
        if problem:
            self._break(problem)
            return
        self._count(record.body)
        self._chain = Chain(record.seq + 1, line_hash(line))
        self._index += 1

    def _misplaced(self, record: Record) -> str:
        """Why ``record`` does not follow the line before it; empty if it does."""
        if self._chain is None:
            self._first_seq = record.seq
            return ""
        if self._first_seq is None:
            self._first_seq = record.seq
        if record.seq != self._chain.seq:
            missing = record.seq - self._chain.seq
            gap = f"; {missing} missing" if missing > 0 else ""
            return f"has number {record.seq}, expected {self._chain.seq}{gap}"
        if record.prev != self._chain.head:
            return "does not carry the hash of the line before it: one of the two was changed"
        return ""

    def _pair(self, body: Body) -> str:
        """Match close records with open ones; return what is wrong, if anything."""
        if isinstance(body, Open):
            if body.id in self._open:
                return f"opens {body.id} a second time"
            if len(self._open) >= OPEN_MAX:
                return f"opens more than {OPEN_MAX} exchanges at once"
            self._open[body.id] = None
        elif isinstance(body, Close):
            # A log that is read from the middle may close what it does not show being opened.
            known = body.id in self._open
            if not known and self._first_seq == 0:
                return f"closes {body.id}, which was not open"
            self._open.pop(body.id, None)
        return ""

    def _count(self, body: Body) -> None:
        kind = type(body).__name__.lower()
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if isinstance(body, Close):
            self._counts[body.outcome] = self._counts.get(body.outcome, 0) + 1

    def _break(self, message: str) -> None:
        self._broken = Break(self._index, f"line {self._index + 1} {message}")


def verify_lines(lines: Iterable[bytes], chain: Chain | None = None) -> Report:
    """Verify the lines of one log, oldest first, as a binary file yields them.

    ``chain`` is where the log must start: ``Chain()`` for a complete one, None for one whose oldest
    files were rotated away.
    """
    verifier = Verifier(chain)
    for line in lines:
        verifier.feed(line)
    return verifier.report()
