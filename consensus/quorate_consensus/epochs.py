"""The epochs a member knows: from the pinned one to the newest, on disk before they count.

A directory with a file for every record after number 0, written whole or not at all. What is in it
proves itself: each record is verified again at every start, from the genesis on.
"""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from quorate.canonical import canonical
from quorate.consensus import history as histories
from quorate.consensus import succession
from quorate.consensus.epoch import RECORD_BYTES, Epoch, EpochRecord
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import InvalidInput, LimitExceeded, QuorateError
from quorate_consensus import durable
from quorate_io import member_api

CHAIN_MAX: Final = 65_536
"""Records after number 0. At one an hour, more than seven years."""
_FILE = re.compile(r"([0-9]{10})\.json\Z", re.ASCII)
_FIX: Final = (
    "restore the member's volume; or remove the files from this one on, and it learns them "
    "from the other members again"
)

log = logging.getLogger(__name__)


class ChainFiles:
    """The records of one member's chain, a file each."""

    def __init__(self, directory: Path) -> None:
        """Makes ``directory`` if it is not there. Raises InvalidInput if that fails."""
        self._directory = directory
        durable.make_directory(directory)

    def load(self) -> list[CertifiedRecord]:
        """All records, in order, unverified. Raises InvalidInput if one is missing or unreadable.

        A record that a crash left half-written has no name of its own, and is not there.
        """
        names = durable.names_in(self._directory, _FILE, CHAIN_MAX, "records")
        found = []
        for number, name in enumerate(names, start=1):
            path = self._directory / name
            if name != _name(number):
                raise InvalidInput(f"epoch {number} is missing", field=str(path), fix=_FIX)
            found.append(_read(path))
        return found

    def keep(self, number: int, data: bytes) -> None:
        """Write record ``number``, on disk for certain. Raises OSError."""
        durable.replace(self._directory / _name(number), data)


class Epochs:
    """One member's chain. Not for several threads at once."""

    def __init__(self, genesis: Epoch, files: ChainFiles | None = None) -> None:
        """Take up the chain where it was left; without ``files`` it ends with the process.

        Raises InvalidInput if a file is missing, or does not follow from the genesis.
        """
        self.genesis: Final = genesis
        self._files = files
        self._opened: list[Callable[[], None]] = []
        self._chain = files.load() if files is not None else []
        self._sizes = [len(_encode(certified)) for certified in self._chain]
        try:
            known = histories.begin(genesis)
            self._history = histories.follow(known, self._chain, KeySignatures())
        except QuorateError as error:
            raise InvalidInput(
                f"the chain on disk does not follow from genesis {genesis.digest_text}: {error}",
                fix=_FIX,
            ) from None

    @property
    def history(self) -> History:
        """What it verifies with."""
        return self._history

    @property
    def head(self) -> Epoch:
        """The epoch in force, in whose name it signs."""
        return self._history.head

    def on_opened(self, told: Callable[[], None]) -> None:
        """Call ``told`` whenever a later epoch is in force. It must not raise."""
        self._opened.append(told)

    def extend(self, certified: CertifiedRecord) -> Epoch:
        """Take in the next record, and keep it before it counts. Returns the epoch it opens.

        Raises as :func:`quorate.consensus.succession.verify`, LimitExceeded, or OSError: then
        nothing has changed.
        """
        if len(self._chain) >= CHAIN_MAX:
            raise LimitExceeded(f"more than {CHAIN_MAX} records", field="epochs")
        data = _encode(certified)
        if len(data) > RECORD_BYTES:
            # Or it could not be read again, by this member or by anybody it is served to.
            raise LimitExceeded(f"has more than {RECORD_BYTES} bytes", field="certified record")
        extended = histories.extend(self._history, certified, KeySignatures())
        if self._files is not None:
            self._files.keep(certified.record.number, data)
        self._history = extended
        self._chain.append(certified)
        self._sizes.append(len(data))
        log.info("epoch %d: %s", certified.record.number, certified.record.change)
        for told in self._opened:
            told()
        return extended.head

    def record(self, number: int) -> EpochRecord:
        """The record of an epoch up to the one in force."""
        return self._chain[number - 1].record if number else self.genesis.record

    def after(self, number: int) -> Sequence[CertifiedRecord]:
        """The records after ``number``, as many as one answer holds; at least one if there is."""
        end, size = number, 0
        for length in self._sizes[number : number + member_api.CHAIN_PAGE]:
            size += length
            if size > member_api.CHAIN_PAGE_BYTES:
                break
            end += 1
        return self._chain[number:end]


def _name(number: int) -> str:
    return f"{number:010d}.json"


def _encode(certified: CertifiedRecord) -> bytes:
    return canonical(msgspec.to_builtins(certified))


def _read(path: Path) -> CertifiedRecord:
    try:
        with path.open("rb") as file:
            return succession.parse_certified(file.read(RECORD_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    except QuorateError as error:
        raise InvalidInput(f"is no certified record: {error}", field=str(path), fix=_FIX) from None
