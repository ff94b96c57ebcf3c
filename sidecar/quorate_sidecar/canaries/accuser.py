"""Brings what convicts a member to all members: until its epoch has passed.

A member keeps it in memory, and the operator takes it from there to the others; so it is said again
now and then, for whoever started anew.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from quorate.consensus import quarantine
from quorate.consensus.epoch import Epoch
from quorate.consensus.quarantine import Evidence
from quorate.errors import QuorateError
from quorate.telemetry import names
from quorate_sidecar.metrics import Metrics

RETRY_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 60.0
JITTER: Final = 0.2

log = logging.getLogger(__name__)


class EvidenceSink(Protocol):
    """Who is told: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def accuse(self, evidence: bytes) -> None:
        """Show it to all members; more than may lie must keep it. Raises QuorateError."""


@dataclass(slots=True)
class _Accusation:
    epoch: Epoch
    evidence: bytes
    due: float = 0.0
    heard: bool = False


class Accuser:
    """One accusation for each member at a time. ``epoch`` is the one in force, as far as known."""

    def __init__(
        self,
        sink: EvidenceSink,
        epoch: Callable[[], Epoch | None],
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._sink = sink
        self._epoch = epoch
        self._metrics = metrics
        self._monotonic = monotonic
        self._open: dict[str, _Accusation] = {}
        self._news = asyncio.Event()

    def accuse(self, member: str, evidence: Evidence) -> None:
        """Evidence against ``member`` in the epoch in force. Of one that is accused already, or has
        no vote to lose, nothing more is said. Never waits."""
        epoch = self._epoch()
        seat = epoch.seat(member) if epoch is not None else None
        if epoch is None or seat is None or seat.quarantined:
            return
        known = self._open.get(member)
        if known is not None and known.epoch.digest == epoch.digest:
            return
        kind = quarantine.kind_of(evidence)
        log.error("%s is convicted by %s in epoch %d", member, kind, epoch.record.number)
        self._metrics.count(names.SIDECAR_ACCUSATIONS, member, kind)
        self._open[member] = _Accusation(epoch, quarantine.encode(evidence))
        self._news.set()

    async def run(self) -> None:
        """Say what is to be said, for ever."""
        while True:
            self._news.clear()
            await self.say()
            due = min((one.due for one in self._open.values()), default=None)
            wait = None if due is None else max(0.0, due - self._monotonic())
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def say(self) -> None:
        """Say all that is due, and forget what an epoch has overtaken."""
        for member, one in list(self._open.items()):
            head = self._epoch()
            if head is None or head.digest != one.epoch.digest:
                # Ballots convict in the epoch that they name; who lies goes on lying.
                log.info("the evidence against %s is of an epoch that has passed", member)
                del self._open[member]
            elif one.due <= self._monotonic():
                await self._say(member, one)

    async def _say(self, member: str, one: _Accusation) -> None:
        try:
            await self._sink.accuse(one.evidence)
        except QuorateError as error:
            if not one.heard:
                log.warning("the evidence against %s is not kept by enough: %s", member, error)
            pause = RETRY_SECONDS
        except Exception:  # the pod serves or denies all the same
            log.exception("the evidence against %s was not brought", member)
            pause = RETRY_SECONDS
        else:
            one.heard, pause = True, AGAIN_SECONDS
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        one.due = self._monotonic() + pause * spread
