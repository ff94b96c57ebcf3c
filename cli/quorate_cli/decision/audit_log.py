"""Audit logs as commands read them: record by record, the chain checked on the way."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from quorate.audit.chain import Verifier
from quorate.audit.records import LINE_BYTES, Record

_record = msgspec.json.Decoder(Record)


class AuditLog:
    """The log in some files, oldest first. What is no record is the chain's break."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._verifier = Verifier(None)

    def records(self) -> Iterator[Record]:
        """Its records. Raises OSError."""
        for path in self._paths:
            with path.open("rb") as file:
                while line := file.readline(LINE_BYTES + 2):
                    self._verifier.feed(line)
                    try:
                        yield _record.decode(line)
                    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                        continue

    @property
    def problem(self) -> str:
        """Where the chain is broken, of what was read so far; empty if it is not."""
        broken = self._verifier.report().broken
        return broken.message if broken else ""
