"""Making a vote log small again: what has to be found again stays, the rest may be forgotten.

Every denial of an epoch must be found after a crash, no approval has to be. The beginning of a log
is copied while votes go on to its end; then what came meanwhile follows, and the copy takes the
log's place at once. A crash at any moment leaves one or the other.
"""

import os
import time
from pathlib import Path
from typing import BinaryIO, Final

from quorate.consensus import wire
from quorate.consensus.member import Key
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate_consensus import durable
from quorate_consensus.votes import log_file

COMPACT_BYTES: Final = 64 * 1024 * 1024
"""A log is left alone below this, and below twice what the last compaction left."""
BATCH: Final = 100
PAUSE_SECONDS: Final = 0.01
"""After each batch of records: those who ask wait for the same processor."""
_PIECE: Final = 1024 * 1024


class Compaction:
    """One compaction of one log. ``begin`` runs beside the writer, ``finish`` in its place."""

    def __init__(self, path: Path, upto: int) -> None:
        """``upto`` is where a record ends that is on disk for certain."""
        self.path = path
        self._copy = copy_of(path)
        self._upto = upto
        self.interrupted = False
        """Set by whoever closes the log: what was copied so far is for nobody."""

    def begin(self) -> None:
        """Copy the denials up to there. Raises OSError, InvalidInput."""
        seen: set[Key] = set()
        with self._copy.open("wb") as copy:
            copy.write(log_file.MAGIC)
            for count, (record, end) in enumerate(log_file.records(self.path), start=1):
                if end > self._upto:
                    break
                _copy_denial(record, seen, copy)
                if count % BATCH == 0:
                    if self.interrupted:
                        return
                    time.sleep(PAUSE_SECONDS)

    def finish(self) -> None:
        """Add what came since, and take the log's place. Nobody writes meanwhile. Raises OSError:
        before the last step the log is what it was."""
        with self.path.open("rb") as log, self._copy.open("ab") as copy:
            log.seek(self._upto)
            while piece := log.read(_PIECE):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        self._copy.replace(self.path)
        durable.sync_directory(self.path.parent)


def copy_of(path: Path) -> Path:
    """Where a log is copied to; what is left there by a crash is nothing."""
    return path.with_suffix(durable.TEMPORARY)


def _copy_denial(record: bytes, seen: set[Key], copy: BinaryIO) -> None:
    ballot = wire.decode(wire.decode(record, Vote).ballot.body, Ballot)
    key = (ballot.request, ballot.tier)
    if ballot.verdict is Verdict.DENY and key not in seen:
        seen.add(key)
        copy.write(log_file.pack(record))
