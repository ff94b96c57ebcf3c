"""What is prepared for a member under quarantine: the record by which a spare takes its seat.

The spare holds its key and tells the public half by its own connection; nothing here could sign for
it, or in its place. What is prepared counts for nothing before people signed it, and whoever signs
asks the spare again: the operator can hold a replacement back, and make none.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from quorate.api.v1alpha1.safety_committee import RECORD_CHARS
from quorate.consensus import epoch as epochs
from quorate.consensus import spare as spares
from quorate.consensus.history import History
from quorate.consensus.spare import Spare
from quorate.errors import InvalidInput, QuorateError
from quorate.names import MEMBER_MARK
from quorate.ports import Clock
from quorate_io.stranger import identity_key
from quorate_operator.reconcile.committee_replacement import NOTHING, Prepared
from quorate_operator.reconcile.texts import clipped

LOOK_SECONDS: Final = 15.0
"""Between two questions to a spare, while a member is under quarantine."""
ANSWER_SECONDS: Final = 5.0
NONE_LEFT: Final = (
    "{member} is under quarantine, and no spare is left: helm upgrade with a larger "
    "committee.spares runs another one"
)

log = logging.getLogger(__name__)

AskKey = Callable[[str, int], Awaitable[str]]
"""The identity key (PEM) that the spare of this name proves to hold. The number is that of the
newest epoch. Raises QuorateError."""


def asks_keys(member_url: str, genesis_digest: str, clock: Clock) -> AskKey:
    """Asks at ``member_url``, where ``{member}`` stands for a spare's name as for a member's."""

    async def ask(name: str, number: int) -> str:
        url = member_url.replace(MEMBER_MARK, name)
        return await identity_key(url, genesis_digest, number, clock)

    return ask


class Spares:
    """Asks a spare now and then while a member is under quarantine, and nobody otherwise."""

    def __init__(
        self, spares_: Sequence[Spare], ask: AskKey, monotonic: Callable[[], float]
    ) -> None:
        self._spares = spares_
        self._ask = ask
        self._monotonic = monotonic
        self._look_at = float("-inf")
        self._epoch = b""
        self._found = NOTHING

    async def prepared(self, history: History) -> Prepared:
        """What may follow the newest epoch. Made anew with each epoch, and with each other key."""
        head = history.head
        if self._epoch != head.digest:
            self._epoch, self._found, self._look_at = head.digest, NOTHING, float("-inf")
        member = spares.leaving(head)
        if member is None:
            return NOTHING
        now = self._monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._found = await self._look(history, member)
        return self._found

    async def _look(self, history: History, member: str) -> Prepared:
        """With the first spare that has no seat and may have one."""
        problems = []
        for spare in spares.free(history.head, self._spares):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    key = await self._ask(spare.name, history.head.record.number)
                return _prepared(history, spare, key)
            except TimeoutError:
                problems.append(f"{spare.name}: did not answer within {ANSWER_SECONDS:g} s")
            except QuorateError as error:
                problems.append(f"{spare.name}: {error.message}")
        why = "; ".join(problems) if problems else NONE_LEFT.format(member=member)
        log.warning("no replacement of %s is prepared: %s", member, why)
        return Prepared(problem=clipped(why))


def _prepared(history: History, spare: Spare, key: str) -> Prepared:
    record = spares.propose(history, spare, key)
    if len(epochs.encode(record)) > RECORD_CHARS:
        raise InvalidInput("the record is too large for the object", field="spare")
    found = spares.check(history, record)
    return Prepared(record, found.leaves, found.joins)
