"""Asks the members of the epoch in force, and keeps to that as epochs change.

An epoch that changes while an ask is under way ends it; it is put again to the members of the new
one in the time that is left, once. So is an ask that members would not vote on because they are in
an epoch that is not known here yet.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from quorate.consensus.ask import Abstained, Cause, Heard, Refused
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Target
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.member import Abstain
from quorate.errors import QuorateError, Unavailable
from quorate.telemetry import names
from quorate_io.asking import Asked, Asker, Channel, Question
from quorate_sidecar.actions.discord import Discord
from quorate_sidecar.canaries.witness import Witness
from quorate_sidecar.metrics import Metrics

LOOK_SECONDS: Final = 1.0
"""Between two looks at whether what is known of the epochs has grown: no look asks anybody, unless
the source thinks that it is time."""
NEWER_SECONDS: Final = 1.0
"""Between two times that members are asked for newer epochs because some say that there are."""
AT_ONCE_MAX: Final = 32
"""Asks under way. A member answers no more of one pod at a time; the next wait, in their budget."""
WAITING_MAX: Final = 256
"""Asks that wait. More are refused: they could not end in time."""
LEFT_SECONDS: Final = 0.02
"""With less time than this left, an ask is not put again."""

log = logging.getLogger(__name__)


class Members(Protocol):
    """The members: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def history(self, *, newer: bool = False) -> History:
        """The epochs that are known; asked for again if ``newer``. Raises QuorateError."""

    def channels(self, epoch: Epoch) -> Mapping[str, Channel]:
        """The channels for asks to the members of ``epoch``, by name."""


class Committee:
    """Asks on behalf of this pod. ``audience`` is of its session key."""

    def __init__(
        self,
        members: Members,
        audience: bytes,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
        witness: Witness | None = None,
    ) -> None:
        self._witness = witness
        self._members = members
        self._audience = audience
        self._metrics = metrics
        self._monotonic = monotonic
        self.discord = Discord(monotonic)
        self._asker: Asker | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._newer_at = float("-inf")
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        self._other_epoch = 0
        """How often a member said that it votes in another epoch."""

    @property
    def epoch(self) -> Epoch | None:
        """The epoch whose members are asked; None before any is known."""
        return self._asker.epoch if self._asker else None

    @property
    def audience(self) -> bytes:
        """Whom approvals are for."""
        return self._audience

    async def run(self) -> None:
        """Follow the epochs, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Hear nobody any more."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})
        if self._asker is not None:
            await self._asker.close()

    async def look(self, *, newer: bool = False) -> None:
        """Take up what is known of the epochs. Who does not answer changes nothing."""
        try:
            self._open((await self._members.history(newer=newer)).head)
        except QuorateError as error:
            log.warning("the epochs are not known: %s", error)

    async def ask(self, question: Question) -> Asked:
        """The outcome, within the budget. Raises Unavailable if nobody can be asked, or too much
        is under way."""
        until = self._monotonic() + question.budget
        await self._enter(question.budget)
        try:
            return await self._ask(question, until)
        finally:
            self._slots.release()

    async def _enter(self, seconds: float) -> None:
        """Wait for one's turn. Raises Unavailable if that takes too long."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} asks wait already", fix="ask again later")
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds - LEFT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            message = f"{AT_ONCE_MAX} asks were under way all the time there was"
            raise Unavailable(message, fix="ask again later") from None
        finally:
            self._waiting -= 1

    async def _ask(self, question: Question, until: float) -> Asked:
        if self._asker is None:
            raise Unavailable("no epoch of the committee is known yet")
        other = self._other_epoch
        left = until - self._monotonic()
        asked = await self._asker.put(replace(question, budget=left))
        cause = asked.outcome.cause
        if cause is Cause.NO_QUORUM and self._other_epoch > other:
            await self._newer(until)
        elif cause is not Cause.EPOCH_SUPERSEDED:
            return asked
        if question.marked is not None:
            # A nonce is used once; a canary that is lost counts against nobody.
            return asked
        left = until - self._monotonic()
        if self._asker.epoch is asked.epoch or left < LEFT_SECONDS:
            return asked
        return await self._asker.put(replace(question, budget=left))

    def freeze(self, is_frozen: Callable[[Target], bool]) -> None:
        """Deny what is under way about anything that is frozen now."""
        if self._asker is not None:
            self._asker.freeze(is_frozen)

    def heard(self, effect: Heard | Refused) -> None:
        """Count what members answer: in time or late."""
        if isinstance(effect, Heard):
            self._metrics.count(names.SIDECAR_VOTES, effect.ballot.verdict.name.lower())
            if self._witness is not None and self._witness.heard(effect):
                # Canaries are made to be hard: who splits over them has metrics of its own.
                return
            if how := self.discord.heard(effect.ballot):
                self._metrics.count(names.SIDECAR_CONTESTED, how)
            return
        reason = str(effect.error.message) if isinstance(effect.error, Abstained) else ""
        if reason == Abstain.OTHER_EPOCH:
            self._other_epoch += 1
        self._metrics.count(names.SIDECAR_VOTES, "abstained" if reason else "invalid")

    def _open(self, epoch: Epoch) -> None:
        asker = self._asker
        if asker is not None and asker.epoch.digest == epoch.digest:
            return
        channels = self._members.channels(epoch)
        if self._witness is not None:
            self._witness.open_epoch(epoch.digest)
        if asker is not None:
            asker.open_epoch(epoch, channels)
        else:
            signatures = KeySignatures()
            self._asker = Asker(epoch, channels, self._audience, signatures, self, self._monotonic)

    async def _newer(self, until: float) -> None:
        """Ask for newer epochs, and wait for it no longer than ``until``."""
        now = self._monotonic()
        if self._refreshing is None or self._refreshing.done():
            if now - self._newer_at < NEWER_SECONDS:
                return
            self._newer_at = now
            self._refreshing = asyncio.create_task(self.look(newer=True))
        await asyncio.wait({self._refreshing}, timeout=max(0.0, until - now))
