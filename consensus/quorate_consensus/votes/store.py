"""What a member keeps of its votes: its incarnation, and what it said in this epoch.

A directory. ``member`` says whose it is, by name, key and genesis, and is made once, by ``init``: a
member that has a key and finds no store lost what it said, and must not go on under the same key.
"""

import os
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from quorate.canonical import canonical, parse_object
from quorate.consensus import wire
from quorate.consensus.member import Judgement, Key, Persist
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate.errors import InvalidInput
from quorate_consensus import durable
from quorate_consensus.votes import log_file

DENIALS_MAX: Final = 200_000
"""Denials of one epoch. Every one must be found again, so beyond it none is said."""
APPROVALS_MAX: Final = 50_000
"""Approvals remembered. One that was dropped is judged again, which may only be stricter."""
MARK_BYTES: Final = 4_096
_MARK, _INCARNATION, _EPOCH = "member", "incarnation", "epoch"
_LOG_SUFFIX: Final = ".votes"
_FIX: Final = (
    "restore its volume, or replace the member under a new key (kubectl quorate committee rotate)"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a store is. ``key``: the id of its identity key; ``genesis``: the digest."""

    member: str
    key: str
    genesis: str


def init(directory: Path, owner: Owner) -> bool:
    """Make the store of a new member; False if it had one under another key, and keeps it.

    Raises InvalidInput if there is anything else in ``directory``, or if it cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if adopt(directory, owner):
            return False
        if any(directory.iterdir()):
            raise InvalidInput("is not empty: a member's store is made once", field=str(directory))
        durable.replace(directory / _MARK, canonical(asdict(owner)))
    except OSError as error:
        raise InvalidInput(f"cannot be made: {error.strerror}", field=str(directory)) from None
    return True


def adopt(directory: Path, owner: Owner) -> bool:
    """Take over the store of the same member under an earlier key; False if it is none.

    Nothing that it said under that key is lost. Raises InvalidInput if it cannot be read, OSError.
    """
    found = _read(directory / _MARK)
    if found is None or found.get("key") == owner.key:
        return False
    if found | {"key": owner.key} != asdict(owner):
        return False
    durable.replace(directory / _MARK, canonical(asdict(owner)))
    return True


class VoteStore:
    """The store of one member, for one process. Not for several threads at once."""

    def __init__(self, directory: Path, owner: Owner) -> None:
        """Open it. Raises InvalidInput without a store of this very member."""
        self._directory = directory
        found = _read(directory / _MARK)
        if found is None:
            raise InvalidInput("there is no vote store", field=str(directory), fix=_FIX)
        for name, expected in asdict(owner).items():
            if found.get(name) != expected:
                raise InvalidInput(
                    f"is the store of another {name} than {expected}",
                    field=str(directory),
                    fix="mount the store that was made for this member",
                )
        self._epoch = b""
        self._denials: dict[Key, Judgement] = {}
        self._approvals: OrderedDict[Key, Judgement] = OrderedDict()

    @staticmethod
    def is_there(directory: Path) -> bool:
        """Whether ``directory`` holds anything at all: a damaged store is none that may be made."""
        try:
            return any(directory.iterdir())
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def reach(self, number: int) -> None:
        """Vote in epoch ``number`` from now on, and in none before it: their votes are forgotten.

        Raises InvalidInput if a later one was reached, OSError if that cannot be kept.
        """
        found = _read(self._directory / _EPOCH) or {}
        reached = found.get("number", 0)
        if not isinstance(reached, int) or number < reached:
            raise InvalidInput(
                f"has voted in epoch {reached}, and the chain of this member ends with {number}",
                field=str(self._directory),
                fix="give the member the epochs it knew (--epochs); see its volume",
            )
        if number > reached:
            durable.replace(self._directory / _EPOCH, canonical({"number": number}))

    def begin_incarnation(self) -> int:
        """The number of this start; higher than any before, and on disk for certain.

        The time of day takes part, so that a disk that lost the last number gives no number twice.
        """
        found = _read(self._directory / _INCARNATION) or {}
        before = found.get("number", 0)
        if not isinstance(before, int) or before < 0:
            raise InvalidInput("is no number", field=_INCARNATION)
        number = max(before + 1, time.time_ns() // 1_000_000)
        durable.replace(self._directory / _INCARNATION, canonical({"number": number}))
        return number

    def open_epoch(self, epoch: bytes) -> Path:
        """Use the log of ``epoch``, made or read; logs of other epochs go. Returns its path.

        Raises InvalidInput for a damaged log.
        """
        path = self._directory / f"{epoch.hex()}{_LOG_SUFFIX}"
        self._epoch, self._denials, self._approvals = epoch, {}, OrderedDict()
        if path.exists():
            self._recover(path)
        else:
            log_file.create(path)
        for other in self._directory.glob(f"*{_LOG_SUFFIX}"):
            if other != path:
                other.unlink()
        for stray in self._directory.glob(f"*{durable.TEMPORARY}"):
            stray.unlink()
        return path

    def _recover(self, path: Path) -> None:
        end = len(log_file.MAGIC)
        if path.stat().st_size < end:
            # It was being made when the process ended: nothing was said yet.
            path.unlink()
            log_file.create(path)
            return
        for record, end in log_file.records(path):  # noqa: B007 - the last end is used below
            vote = wire.decode(record, Vote)
            ballot = wire.decode(vote.ballot.body, Ballot)
            judgement = Judgement(ballot.verdict, ballot.score, ballot.reasons, ballot.hard)
            self._remember((ballot.request, ballot.tier), judgement)
        if log_file.is_damaged(path, end):
            raise InvalidInput(
                f"is damaged at byte {end}",
                field=str(path),
                fix=_FIX,
            )
        os.truncate(path, end)
        # The name as well: the process may have ended while it was made.
        durable.sync_directory(self._directory)

    def hand_over(self, persist: Persist) -> bytes:
        """Remember the verdict from now on; the record that makes it certain."""
        if persist.epoch == self._epoch:
            self._remember(persist.key, persist.judgement)
        return log_file.pack(wire.encode(persist.vote))

    def _remember(self, key: Key, judgement: Judgement) -> None:
        if judgement.verdict is Verdict.DENY:
            self._denials[key] = judgement
            self._approvals.pop(key, None)
        elif key not in self._denials:
            self._approvals[key] = judgement
            self._approvals.move_to_end(key)
            if len(self._approvals) > APPROVALS_MAX:
                self._approvals.popitem(last=False)

    def find(self, epoch: bytes, key: Key) -> Judgement | None:
        """The verdict on ``key`` in ``epoch``: see :class:`quorate.consensus.member.Kept`."""
        if epoch != self._epoch:
            return None
        return self._denials.get(key) or self._approvals.get(key)

    def is_full(self) -> bool:
        """Whether no further denial can be kept."""
        return len(self._denials) >= DENIALS_MAX


def _read(path: Path) -> dict[str, object] | None:
    try:
        with path.open("rb") as file:
            data = file.read(MARK_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    return parse_object(data, bytes_max=MARK_BYTES, what=str(path))
