"""Asks in shadow: a member under quarantine votes on canaries, and its votes count for nothing.

It is shown no token and hears no operator, so it compares a request with the asking pod's receipt
only. A member whose vote counts answers none of this: what it signs here could be acted on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from quorate import shadow
from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.asker import target_of
from quorate.consensus.epoch import Epoch
from quorate.consensus.member import Abstain
from quorate.consensus.request import ADMISSION, Request
from quorate.consensus.wire import Abstention, Ask
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate.receipt import ReceiptStatement
from quorate_consensus.asks import BODY_SECONDS, LATE_SECONDS, Declined, Votes
from quorate_consensus.epochs import Epochs
from quorate_consensus.failures import Unauthenticated
from quorate_consensus.shedding import PodRate

ASKS_PER_WINDOW: Final = 100
"""Of one pod, in shedding.WINDOW_SECONDS. A deck asks one in ten seconds."""

Read = Callable[[], Awaitable[bytes]]


class NotHere(StrEnum):
    """Why nothing is answered in shadow, beside :class:`Declined`. Stable words."""

    VOTE_COUNTS = "VoteCounts"


class ShadowAsks:
    """Answers asks in shadow. For one event loop."""

    def __init__(
        self,
        voter: Votes | None,
        member: str,
        epochs: Epochs,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        """``voter`` None: this member does not vote, and abstains from everything."""
        self._voter = voter
        self._member = member
        self._epochs = epochs
        self._clock = clock
        self._rate = PodRate(monotonic, ASKS_PER_WINDOW)

    async def answer(self, read: Read) -> bytes:
        """The vote or abstention, a message of :mod:`quorate.consensus.wire`. ``read`` the body.

        Raises Unauthenticated for whoever does not prove to be a pod that has a receipt,
        TooManyRequests, InvalidInput, LimitExceeded, and what ``read`` raises.
        """
        voter = self._voter
        if voter is None:
            return _abstain(Declined.NOT_VOTING)
        if not is_away(voter.epoch, self._member):
            # Before anything is read: this is for nobody whose word is believed.
            return _abstain(NotHere.VOTE_COUNTS)
        async with asyncio.timeout(BODY_SECONDS):
            message = shadow.decode(await read())
        try:
            pod = shadow.verify(message, self._member, self._epochs.history, self._clock.now())
        except QuorateError as error:
            raise Unauthenticated(error.message, field=error.field, fix=error.fix) from error
        self._rate.check(pod.pod_uid)
        return await self._voted(voter, message.ask, pod)

    async def _voted(self, voter: Votes, data: bytes, pod: ReceiptStatement) -> bytes:
        try:
            ask = wire.decode(data, Ask)
        except QuorateError:
            return _abstain(Abstain.MALFORMED)
        epoch = voter.epoch
        if ask.epoch != epoch.digest:
            return _abstain(Abstain.OTHER_EPOCH)
        if not is_away(epoch, self._member):
            return _abstain(NotHere.VOTE_COUNTS)
        try:
            request = requests.parse(ask.request)
        except QuorateError:
            return _abstain(Declined.REQUEST)
        declined = _declined(request, pod)
        if declined is not None:
            return _abstain(declined)
        try:
            async with asyncio.timeout(ask.left_ms / 1_000 + LATE_SECONDS):
                # Its ballot names the ask's epoch, in which this member is under quarantine.
                return await voter.ask(data, target_of(request))
        except TimeoutError:
            return _abstain(Declined.LATE)


def is_away(epoch: Epoch, member: str) -> bool:
    """Whether ``member`` has a seat in ``epoch``, and its vote counts for nothing."""
    seat = epoch.seat(member)
    return seat is not None and seat.quarantined


def _declined(request: Request, pod: ReceiptStatement) -> Declined | None:
    """What the request says of the pod otherwise than its receipt, as far as that says anything."""
    if request.capability == ADMISSION:
        return Declined.CERTIFY
    if request.principal.manifest_digest != pod.manifest_digest:
        return Declined.MANIFEST
    held = {policy.policy_digest for policy in pod.policies}
    if not set(request.principal.policy_digests) <= held:
        return Declined.POLICIES
    return None


def _abstain(reason: Declined | Abstain | NotHere) -> bytes:
    return wire.encode(Abstention(wire.VERSION, reason.value))
