"""What is frozen, as far as this member heard: taken in, kept, and told to whoever waits for it.

An order holds as soon as its signatures verify; the disk is for the time after a restart. Readers
go by cursor and wait for what is new, so that an order is with every sidecar within a moment.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from quorate.consensus import freeze
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import ORDER_TAG, Freezes, SignedOrder
from quorate.consensus.keys import KeySignatures
from quorate.errors import EvidenceError, Expired, LimitExceeded, QuorateError
from quorate.ports import Clock
from quorate.statements import check_time
from quorate_consensus import cursor as cursors
from quorate_consensus.epochs import Epochs
from quorate_consensus.freeze_files import FreezeFiles
from quorate_io import member_api
from quorate_io.member_api import FreezeHeard, FreezesAnswer

SWEEP_SECONDS: Final = 30.0
SIGNATURES: Final = KeySignatures()

log = logging.getLogger(__name__)


class FreezeRefused(EvidenceError):
    """The order does not hold: who signed it may not, or it is over, released, or of the future."""


class Freezing:
    """The freezes of one member. For one event loop."""

    def __init__(self, epochs: Epochs, clock: Clock, files: FreezeFiles | None = None) -> None:
        """Take up what was kept; without ``files`` nothing outlives the process.

        Raises InvalidInput for a file that cannot be read.
        """
        self._epochs = epochs
        self._clock = clock
        self._files = files
        loaded = files.load() if files is not None else []
        known = Freezes({signed.order.order_id: signed for signed in loaded})
        self._freezes = freeze.sweep(known, epochs.head, clock.now())
        self._kept = set(known.orders)
        # Another one after each start, so that nobody's cursor leads past what it did not hear.
        self._session = secrets.token_hex(8)
        self._places = {order_id: n for n, order_id in enumerate(self._freezes.orders, start=1)}
        self._last = len(self._places)
        self._changed = asyncio.Event()
        self._closed = False
        self._told: list[Callable[[Freezes], None]] = []
        # What an epoch releases ends with it, not with the next sweep.
        epochs.on_opened(self._forget)

    @property
    def freezes(self) -> Freezes:
        """What is in force, or will be found to be over."""
        return self._freezes

    def on_changed(self, told: Callable[[Freezes], None]) -> None:
        """Call ``told`` now, and whenever something is frozen or no longer is."""
        self._told.append(told)
        told(self._freezes)

    async def put(self, body: bytes) -> FreezeHeard:
        """Take in one order. Raises InvalidInput, LimitExceeded, FreezeRefused."""
        if len(body) > member_api.FREEZE_BYTES:
            raise LimitExceeded(
                f"must have at most {member_api.FREEZE_BYTES} bytes", field="freeze"
            )
        signed = freeze.parse(body)
        order_id = signed.order.order_id
        if self._take(signed):
            log.warning("frozen: %s %s: %s", signed.order.scope, signed.order.name, order_id)
        return FreezeHeard(order_id=order_id, kept=await self._keep(order_id))

    async def merge(self, orders: Iterable[SignedOrder]) -> int:
        """Take in what another member says. What does not hold is left out: it may be wrong, or
        behind. Returns how many were new."""
        count = 0
        for signed in orders:
            try:
                if not self._take(signed):
                    continue
            except QuorateError as error:
                log.info("left out a freeze that a member told of: %s", error)
                continue
            log.warning("frozen, as a member told: %s", signed.order.order_id)
            await self._keep(signed.order.order_id)
            count += 1
        return count

    def after(self, cursor: str) -> FreezesAnswer:
        """The oldest orders after ``cursor``; all if the cursor is not of this run."""
        since = cursors.place_of(cursor, self._session, self._last) or 0
        found = [
            (place, self._freezes.orders[order_id])
            for order_id, place in self._places.items()
            if place > since
        ]
        page = found[: member_api.FREEZES_PAGE]
        more = len(found) > len(page)
        upto = page[-1][0] if more else self._last
        return FreezesAnswer(
            cursor=cursors.text_of(self._session, upto),
            more=more,
            orders=tuple(one for _, one in page),
        )

    async def changed_after(self, cursor: str, seconds: float) -> None:
        """Return when there is something after ``cursor``, or ``seconds`` later."""
        if self._closed or cursors.place_of(cursor, self._session, self._last) != self._last:
            return
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        self._changed.set()

    async def sweep_for_ever(self) -> None:
        """Forget, from time to time, what is over; keep what could not be kept before."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """Forget what has expired or was released; keep what could not be kept before."""
        self._forget()
        for order_id in self._freezes.orders.keys() - self._kept:
            await self._keep(order_id)
        for order_id in self._kept - self._freezes.orders.keys():
            await self._drop(order_id)

    def _take(self, signed: SignedOrder) -> bool:
        """Whether it is new. Raises FreezeRefused, InvalidInput."""
        order = signed.order
        if order.order_id in self._freezes.orders:
            return False
        epoch = self._epochs.head
        now = self._clock.now()
        if order.order_id in epoch.record.released:
            raise FreezeRefused(f"freeze {order.order_id} was released")
        try:
            # What is dated ahead would hold for longer than any freeze may.
            check_time(order, now, "freeze")
            signed = proven(signed, epoch)
            if len(member_api.encode(signed)) > member_api.FREEZE_BYTES:
                raise LimitExceeded("is too large to be passed on", field="freeze")
            self._forget()
            self._freezes = freeze.add(self._freezes, signed, epoch, SIGNATURES)
        except (Expired, EvidenceError) as error:
            raise FreezeRefused(error.message, field=error.field, fix=error.fix) from error
        self._last += 1
        self._places[order.order_id] = self._last
        self._tell()
        return True

    def _forget(self) -> None:
        swept = freeze.sweep(self._freezes, self._epochs.head, self._clock.now())
        if len(swept.orders) == len(self._freezes.orders):
            return
        self._freezes = swept
        self._places = {one: place for one, place in self._places.items() if one in swept.orders}
        self._tell()

    def _tell(self) -> None:
        for told in self._told:
            told(self._freezes)
        self._changed.set()

    async def _keep(self, order_id: str) -> bool:
        """Whether it will be found after a restart."""
        signed = self._freezes.orders.get(order_id)
        if order_id in self._kept or self._files is None or signed is None:
            return order_id in self._kept
        try:
            await asyncio.to_thread(self._files.keep, signed)
        except OSError as error:
            log.error("freeze %s is in force and not kept: %s", order_id, error)
            return False
        self._kept.add(order_id)
        return True

    async def _drop(self, order_id: str) -> None:
        try:
            if self._files is not None:
                await asyncio.to_thread(self._files.forget, order_id)
        except OSError as error:
            log.error("freeze %s is over and still kept: %s", order_id, error)
        else:
            self._kept.discard(order_id)


def proven(signed: SignedOrder, epoch: Epoch) -> SignedOrder:
    """The order with those signatures only that put it in force: what else somebody attached would
    be kept and passed on by everybody. Raises as :func:`quorate.consensus.freeze.verify`."""
    data = ORDER_TAG + freeze.encode(signed.order)
    admins = set(epoch.record.admins.keys)
    members = {}
    for endorsement in signed.endorsements:
        seat = epoch.seat(endorsement.signer)
        key = endorsement.signer if seat is None else seat.key
        if seat is None and key not in admins:
            continue
        if not SIGNATURES.by_identity(key, endorsement.signature, data):
            continue
        if seat is None:
            members = {key: endorsement}
            break
        if not seat.quarantined:
            members[seat.name] = endorsement
    whole = SignedOrder(signed.order, tuple(members.values()) or signed.endorsements)
    freeze.verify(whole, epoch, SIGNATURES)
    return whole
