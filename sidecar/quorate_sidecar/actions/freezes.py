"""What is frozen, as the members tell it: in force as soon as one that is honest does.

Each member is asked by itself and keeps the question until it has news. An order counts by its
signatures, whoever told it, so nobody can hide one that another tells, and nobody can make one up.
While no member answers, what is known stays. Honest members refuse what is dated ahead; one that is
told here all the same waits for its date, or it could hold for longer than any freeze may.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from quorate import limits
from quorate.consensus import freeze
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Freezes, Order, SignedOrder, Target
from quorate.consensus.keys import KeySignatures
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import FreezesAnswer

RETRY_SECONDS: Final = (0.25, 0.5, 1.5)
"""Before a member that failed once, twice … is asked again, the last for any further time: within
the 2 s that a freeze may take."""
PAUSE_SECONDS: Final = 0.05
"""Between an answer and the next question, if there was news."""
DISTRUST_SECONDS: Final = 1.5
"""The same after an answer with an order that does not count: verifying takes time."""
LOOK_SECONDS: Final = 1.0
"""Between two looks at who the members are."""
AHEAD_MAX: Final = 64
"""Orders that wait for their date."""
REJECTED_MAX: Final = 2 * freeze.ORDERS_MAX
"""Orders remembered as not signed: verifying one again would be the liar's to ask for."""

log = logging.getLogger(__name__)


class FreezeSource(Protocol):
    """Who tells: :class:`quorate_io.committee_client.CommitteeClient`."""

    def names(self) -> Collection[str]:
        """The members that can be asked."""

    async def freezes(self, name: str, cursor: str) -> FreezesAnswer:
        """What is frozen after ``cursor``, by one member. Waits for news. Raises QuorateError."""


class FreezeKeeper:
    """What is frozen. ``epoch`` is the one in force, ``changed`` is called when more is frozen."""

    def __init__(
        self,
        source: FreezeSource,
        epoch: Callable[[], Epoch | None],
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._source = source
        self._epoch = epoch
        self._clock = clock
        self._changed = changed
        self._signatures = KeySignatures()
        self._freezes = Freezes()
        self._ahead: dict[str, SignedOrder] = {}
        """Orders that are signed as they must be and dated ahead."""
        self._rejected: dict[tuple[bytes, str, int], None] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked_by = b""
        """The epoch by which answers are verified that are under way."""

    def __len__(self) -> int:
        self._sweep()
        return len(self._freezes.orders)

    def covering(self, target: Target) -> Order | None:
        """An order in force over ``target``, or None."""
        epoch = self._epoch()
        self._begin(epoch)
        if epoch is None or not self._freezes.orders:
            return None
        return self._freezes.covering(target, epoch, self._clock.now())

    async def run(self) -> None:
        """Ask all members, for ever."""
        try:
            while True:
                self._follow(self._source.names())
                self._begin(self._epoch())
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            asking = tuple(self._asking.values())
            self._follow(())
            await asyncio.gather(*asking, return_exceptions=True)

    def learn(self, orders: Sequence[SignedOrder]) -> bool:
        """Take in what a member told; whether all of it is signed as it must be. The rest is left
        out."""
        epoch = self._epoch()
        if epoch is None:
            return False
        before = len(self._freezes.orders)
        now = self._clock.now()
        genuine = [self._learn(signed, epoch, now) for signed in orders]
        if len(self._freezes.orders) > before:
            self._changed()
        return all(genuine)

    def _learn(self, signed: SignedOrder, epoch: Epoch, now: datetime) -> bool:
        order_id = signed.order.order_id
        known = order_id in self._freezes.orders or order_id in self._ahead
        if known or now >= signed.order.expires_at:
            return True
        tried = (epoch.digest, order_id, hash(signed.endorsements))
        if tried in self._rejected:
            return False
        try:
            if _is_ahead(signed, now):
                return self._defer(signed, epoch)
            if len(self._freezes.orders) >= freeze.ORDERS_MAX:
                self._sweep()
            self._freezes = freeze.add(self._freezes, signed, epoch, self._signatures)
        except QuorateError as error:
            if len(self._rejected) >= REJECTED_MAX:
                self._rejected.pop(next(iter(self._rejected)))
            self._rejected[tried] = None
            log.warning("a freeze that a member told does not count: %s", error)
            return False
        order = signed.order
        log.error("frozen: %s %s: %s", order.scope, order.name or "(all)", order.reason)
        return True

    def _defer(self, signed: SignedOrder, epoch: Epoch) -> bool:
        """Keep an order for its date. Raises as :func:`quorate.consensus.freeze.verify`."""
        freeze.verify(signed, epoch, self._signatures)
        if len(self._ahead) >= AHEAD_MAX:
            return False
        self._ahead[signed.order.order_id] = signed
        log.warning("a freeze is dated ahead, %s: it waits", signed.order.issued_at.isoformat())
        return True

    def _begin(self, epoch: Epoch | None) -> None:
        """Freeze what was dated ahead and is due."""
        if not self._ahead:
            return
        now = self._clock.now()
        due = [one for one in self._ahead.values() if not _is_ahead(one, now)]
        if epoch is None or not due:
            return
        for signed in due:
            del self._ahead[signed.order.order_id]
        self.learn(due)

    def _sweep(self) -> None:
        epoch = self._epoch()
        if epoch is not None:
            self._freezes = freeze.sweep(self._freezes, epoch, self._clock.now())

    def _follow(self, names: Collection[str]) -> None:
        """Ask those who are members, and nobody else. In a later epoch everything is asked for
        again: what did not count by the one before may count by this."""
        epoch = self._epoch()
        same = epoch is None or epoch.digest == self._asked_by
        self._asked_by = self._asked_by if epoch is None else epoch.digest
        for name in set(self._asking) - (set(names) if same else set()):
            self._asking.pop(name).cancel()
        for name in names:
            known = self._asking.get(name)
            if known is None or known.done():
                self._asking[name] = asyncio.create_task(self._ask(name))

    async def _ask(self, name: str) -> None:
        """Ask one member again and again."""
        cursor, failures = "", 0
        while True:
            answer = await self._answer(name, cursor)
            if answer is None or self._epoch() is None:
                # Before an epoch is known nothing can be verified: it is asked for once more.
                failures += answer is None
                await asyncio.sleep(_retry(failures))
                continue
            failures = 0
            genuine, cursor = self.learn(answer.orders), answer.cursor
            await asyncio.sleep(PAUSE_SECONDS if genuine else DISTRUST_SECONDS)

    async def _answer(self, name: str, cursor: str) -> FreezesAnswer | None:
        """What one member answers, if anything."""
        try:
            return await self._source.freezes(name, cursor)
        except QuorateError as error:
            log.debug("%s does not say what is frozen: %s", name, error)
        except Exception:
            log.exception("asking %s what is frozen failed", name)
        return None


def _is_ahead(signed: SignedOrder, now: datetime) -> bool:
    """Whether its time has not come, by more than clocks may differ."""
    return now < signed.order.issued_at - timedelta(seconds=limits.CLOCK_SKEW)


def _retry(failures: int) -> float:
    """Seconds before a member is asked again that failed so often in a row."""
    return RETRY_SECONDS[min(max(failures, 1), len(RETRY_SECONDS)) - 1]
