"""Runs of clean canaries of members under quarantine, as pods show them: recomputed, then kept.

They are for whoever proposes that such a member votes again. Nobody who shows or keeps one is
believed: every member recomputes it once more before it signs.
"""

import asyncio
from concurrent.futures import Executor
from functools import partial
from typing import Final

from quorate.consensus import clean_run
from quorate.consensus.clean_run import Count
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.errors import InvalidInput, LimitExceeded, QuorateError, Unavailable
from quorate_consensus.accusations import EvidenceRefused
from quorate_consensus.epochs import Epochs
from quorate_io.member_api import CleanRunKept

SIGNATURES: Final = KeySignatures()


class CleanRuns:
    """What one member keeps, in memory, for the epoch in force. For one event loop."""

    def __init__(self, epochs: Epochs, workers: Executor) -> None:
        self._epochs = epochs
        self._workers = workers
        self._kept: dict[str, tuple[Count, bytes]] = {}
        # Votes count in the epoch that they name, these too.
        epochs.on_opened(self._kept.clear)

    async def show(self, data: bytes) -> CleanRunKept:
        """Keep a run if it is the longest of its member.

        Raises EvidenceRefused, InvalidInput, LimitExceeded, or Unavailable if the epoch changed.
        """
        head = self._epochs.head
        look = partial(_counted, data, head)
        member, count = await asyncio.get_running_loop().run_in_executor(self._workers, look)
        if self._epochs.head is not head:
            raise Unavailable("the epoch changed while it was looked at", fix="ask again")
        known = self._kept.get(member)
        if known is None or count.total > known[0].total:
            self._kept[member] = known = count, data
        return CleanRunKept(member=member, unsafe=known[0].unsafe, safe=known[0].safe)

    def longest(self, member: str) -> bytes:
        """What is kept of ``member``; nothing if nothing is."""
        known = self._kept.get(member)
        return known[1] if known is not None else b""


def _counted(data: bytes, head: Epoch) -> tuple[str, Count]:
    run = clean_run.decode(data)
    try:
        return run.member, clean_run.count(run, head, SIGNATURES)
    except (InvalidInput, LimitExceeded):
        raise
    except QuorateError as error:
        raise EvidenceRefused(error.message, field=error.field, fix=error.fix) from error
