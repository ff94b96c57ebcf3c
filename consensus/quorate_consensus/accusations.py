"""Evidence against members, as pods show it: recomputed, then kept for the operator to take.

Whoever shows it need not be believed: what convicts nobody in the epoch in force is refused, and
every member recomputes it once more before it signs. One piece is kept of each accused.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Final, Protocol

from quorate.consensus import quarantine
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.errors import EvidenceError, QuorateError, Unavailable
from quorate_consensus.epochs import Epochs
from quorate_io.member_api import EvidenceKept

SIGNATURES: Final = KeySignatures()


class EvidenceRefused(EvidenceError):
    """What was shown convicts nobody whose vote can be taken away now."""


class Meter(Protocol):
    """What is counted."""

    def accused(self, outcome: str) -> None:
        """Evidence was kept, kept beyond r, known, refuted, or refused."""


class Accusations:
    """What one member keeps, in memory, for the epoch in force. For one event loop."""

    def __init__(self, epochs: Epochs, workers: Executor, meter: Meter) -> None:
        self._epochs = epochs
        self._workers = workers
        self._meter = meter
        self._kept: dict[str, bytes] = {}
        # Evidence convicts in the epoch that its ballots name.
        epochs.on_opened(self._kept.clear)

    @property
    def kept(self) -> Mapping[str, bytes]:
        """Evidence by the member that it convicts."""
        return self._kept

    async def show(self, evidence: bytes) -> EvidenceKept:
        """Keep what convicts a member. Raises EvidenceRefused, InvalidInput, LimitExceeded, or
        Unavailable if the epoch changed meanwhile."""
        for accused, known in self._kept.items():
            if known == evidence:
                self._meter.accused("known")
                return EvidenceKept(accused=accused)
        head = self._epochs.head
        look = partial(_convicted, evidence, head)
        try:
            accused = await asyncio.get_running_loop().run_in_executor(self._workers, look)
        except QuorateError:
            self._meter.accused("refuted")
            raise
        if self._epochs.head is not head:
            self._meter.accused("refused")
            raise Unavailable("the epoch changed while it was looked at", fix="ask again")
        news = "beyond" if quarantine.is_full(head) else "kept"
        self._meter.accused("known" if accused in self._kept else news)
        self._kept.setdefault(accused, evidence)
        return EvidenceKept(accused=accused)

    def first(self) -> bytes:
        """What is kept against the first member by name that is accused; nothing if none is."""
        return self._kept[min(self._kept)] if self._kept else b""


def _convicted(data: bytes, head: Epoch) -> str:
    """Whom it convicts, of those that have a vote. Takes up to a second for the largest.

    Also if r are under quarantine already: then no record may follow, and people must know.
    """
    evidence = quarantine.decode(data)
    try:
        return quarantine.accused(evidence, head, SIGNATURES)
    except QuorateError as error:
        raise EvidenceRefused(error.message, field=error.field, fix=error.fix) from error
