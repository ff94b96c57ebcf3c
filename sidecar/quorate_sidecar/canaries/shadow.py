"""Puts each canary to the members under quarantine as well, once all others were heard.

Nothing waits for it and nothing comes of an answer, but a run of clean canaries. It is after the
ask, so that a member which tells another one what it is asked tells too late.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from quorate.consensus import clean_run, detector, wire
from quorate.consensus.approval import Subject
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.detector import Result
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.wire import Ask, Verdict, Vote
from quorate.errors import QuorateError, Unavailable
from quorate.telemetry import names
from quorate_sidecar.canaries.clean import Clean
from quorate_sidecar.metrics import Metrics

SIGNATURES: Final = KeySignatures()
LEFT_MS: Final = 2_000
"""For the member's judges, whatever the tier: who is slow is no liar, and nobody waits."""
SHOW_SECONDS: Final = 60.0
"""Between two times that a run is shown to all members."""

log = logging.getLogger(__name__)


class Reaching(Protocol):
    """How members are reached: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def shadow(self, member: str, message: bytes) -> bytes:
        """What a member under quarantine answers, unverified. Raises QuorateError."""

    async def show_run(self, run: bytes) -> None:
        """Show it to all members; more than may lie must keep it. Raises QuorateError."""


Prove = Callable[[str, bytes], bytes]
"""The message to one member that an ask becomes. Raises QuorateError."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A canary that was asked, as what, and the epoch and ask that votes on it are about.

    ``result`` has no votes.
    """

    result: Result
    epoch: Epoch
    subject: Subject
    request: bytes


class ShadowAsker:
    """For one pod. For one event loop."""

    def __init__(
        self,
        reaching: Reaching,
        prove: Prove,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._reaching = reaching
        self._prove = prove
        self._metrics = metrics
        self._monotonic = monotonic
        self._epoch = b""
        self._clean: dict[str, Clean] = {}
        self._show_at: dict[str, float] = {}

    async def ask(self, counted: Counted) -> None:
        """Put the canary to each member of the epoch whose vote does not count. Never raises for
        what such a member does."""
        epoch = counted.epoch
        if self._epoch != epoch.digest:
            # Votes count in the epoch that they name, these too.
            self._epoch, self._clean, self._show_at = epoch.digest, {}, {}
        away = sorted(set(epoch.members) - epoch.counted)
        await asyncio.gather(*(self._ask(member, counted) for member in away))

    async def _ask(self, member: str, counted: Counted) -> None:
        clean = self._clean.setdefault(member, Clean())
        result, answer = await self._answered(member, counted)
        right = counted.result.revealed.canary.right
        kind = "unsafe" if right is Verdict.DENY else "safe"
        self._metrics.count(names.SIDECAR_SHADOW, member, kind, answer)
        clean.take(result, clean=answer == "right")
        if answer == "wrong":
            log.warning("%s is wrong about a canary in shadow; left are %s", member, clean)
        run = clean.run(member)
        if run is not None and self._monotonic() >= self._show_at.get(member, 0.0):
            await self._show(member, run, clean)

    async def _answered(self, member: str, counted: Counted) -> tuple[Result, str]:
        """The result with the member's vote, and how it answered."""
        try:
            vote = await self._vote(member, counted)
            result = msgspec.structs.replace(counted.result, votes=(vote,))
            ballot = detector.ballots_on(result, counted.epoch, SIGNATURES).get(member)
            if ballot is None:
                raise Unavailable("it answers with another's vote")
        except QuorateError as error:
            log.debug("%s gives no vote in shadow: %s", member, error)
            return counted.result, "none"
        if detector.is_unjudged(ballot):
            return result, "none"
        return result, "right" if ballot.verdict is result.revealed.canary.right else "wrong"

    async def _vote(self, member: str, counted: Counted) -> Vote:
        subject = counted.subject
        ask = Ask(
            wire.VERSION,
            subject.tier,
            counted.epoch.digest,
            subject.nonce,
            subject.audience,
            LEFT_MS,
            counted.request,
        )
        message = self._prove(member, wire.encode(ask))
        said = wire.decode_answer(await self._reaching.shadow(member, message))
        if not isinstance(said, Vote):
            raise Unavailable(f"it abstains: {said.reason}")
        return said

    async def _show(self, member: str, run: CleanRun, clean: Clean) -> None:
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        self._show_at[member] = self._monotonic() + SHOW_SECONDS * spread
        log.info("%s answered in shadow, rightly and in a row: %s", member, clean)
        try:
            await self._reaching.show_run(clean_run.encode(run))
        except QuorateError as error:
            log.warning("what speaks for %s is not kept by enough: %s", member, error)
