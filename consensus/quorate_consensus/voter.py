"""A member's voting through the epochs of one run: with which key, by which judges, or not at all.

It votes while the epoch in force names its identity key and the judges it was started with. The
identity key delegates to a vote key that was made at the start and lives in memory only; for each
epoch anew, so that no delegation outlives its epoch.
"""

import asyncio
import logging
from typing import Final

from quorate.consensus import wire
from quorate.consensus.epoch import Epoch, Seat, material_of
from quorate.consensus.freeze import Freezes, Target
from quorate.consensus.keys import VoteKey
from quorate.consensus.signing import DELEGATION_TAG
from quorate.consensus.wire import Abstention, Delegation, Signed
from quorate.errors import QuorateError, SubjectMismatch
from quorate.keys import LocalSigner
from quorate_consensus.epochs import Epochs
from quorate_consensus.votes.store import VoteStore
from quorate_consensus.voting import Voting

NOT_VOTING: Final = "NotVoting"
"""Reason of an abstention: this member has no store, or no part in the epoch in force."""

log = logging.getLogger(__name__)


class Delegating:
    """Delegates, for one incarnation, from the identity key of a member to its vote key."""

    def __init__(self, member: str, identity: LocalSigner, incarnation: int) -> None:
        self.member = member
        self.incarnation = incarnation
        self.vote_key = VoteKey()
        self._identity = identity

    def in_epoch(self, epoch: Epoch) -> Signed:
        """The delegation that counts in ``epoch``."""
        body = wire.encode(
            Delegation(
                version=wire.VERSION,
                member=self.member,
                incarnation=self.incarnation,
                vote_key=self.vote_key.public,
                epoch=epoch.digest,
            )
        )
        return Signed(body, self._identity.sign(DELEGATION_TAG + body))

    def seat(self, epoch: Epoch) -> Seat:
        """The member's seat in ``epoch``. Raises SubjectMismatch if it has none with this key."""
        seat = epoch.seat(self.member)
        if seat is None or material_of(seat.key) != self._identity.public_key.key_id:
            raise SubjectMismatch(
                f"epoch {epoch.record.number} has no {self.member} with this member's key",
                fix="start the member with the key that the epoch names",
            )
        return seat


def check_judges(seat: Seat, judges: bytes) -> None:
    """Raise SubjectMismatch unless the seat names the judges with this digest."""
    found = f"sha256:{judges.hex()}"
    if seat.judges != found:
        raise SubjectMismatch(
            f"the seat of {seat.name} names judges {seat.judges}, and those of this member are "
            f"{found}",
            field="--judges",
            fix="start the member with the set and release of judges that its seat names, or "
            "certify an epoch whose seat names these",
        )


class Voter:
    """Votes in the epoch in force, and goes on to each later one. For one event loop."""

    def __init__(
        self,
        voting: Voting,
        delegating: Delegating,
        judges: bytes,
        epochs: Epochs,
        store: VoteStore,
    ) -> None:
        self._voting = voting
        self._delegating = delegating
        self._judges = judges
        self._epochs = epochs
        self._store = store
        self._silent = False
        self._wake = asyncio.Event()
        epochs.on_opened(self._wake.set)

    @property
    def epoch(self) -> Epoch:
        """The epoch it votes in."""
        return self._voting.epoch

    @property
    def store_broken(self) -> str:
        """Why votes cannot be kept any more; empty while they can."""
        return self._voting.store_broken

    async def ask(self, data: bytes, target: Target) -> bytes:
        """The answer to one ask, a vote or an abstention."""
        if self._silent:
            return wire.encode(Abstention(wire.VERSION, NOT_VOTING))
        return await self._voting.ask(data, target)

    def freeze(self, freezes: Freezes) -> None:
        """What is frozen from now on."""
        self._voting.freeze(freezes)

    def drain(self) -> None:
        """Take no new asks from now on."""
        self._voting.drain()

    async def follow_for_ever(self) -> None:
        """Vote in each later epoch as it opens; while one leaves this member out, in none."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._follow(self._epochs.head)

    async def _follow(self, epoch: Epoch) -> None:
        if epoch.record.number <= self._voting.epoch.record.number:
            return
        try:
            check_judges(self._delegating.seat(epoch), self._judges)
            self._store.reach(epoch.record.number)
            await self._voting.open_epoch(epoch, self._delegating.in_epoch(epoch))
        except (QuorateError, OSError) as error:
            # It goes on to serve what it may; in the epoch before it has no say any more.
            self._silent = True
            log.error("no votes in epoch %d: %s", epoch.record.number, error)
        else:
            self._silent = False
            log.info("votes in epoch %d", epoch.record.number)
