"""What members keep against one of them, made into the record that takes its vote away.

The operator relays: it recomputes to ask nobody in vain, and members do so before they sign.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from quorate.consensus import epoch as epochs
from quorate.consensus import quarantine
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.errors import QuorateError
from quorate_operator.reconcile.committee_plan import Offered

SIGNATURES: Final = KeySignatures()
LOOK_SECONDS: Final = 10.0
"""Between two questions to the members for evidence."""
ANSWER_SECONDS: Final = 5.0
"""For one member's. Nearly always it is empty."""
DIGEST_CHARS: Final = 12
"""Of the record's digest, in the proposal's name: nobody can take that name beforehand."""

log = logging.getLogger(__name__)


class Keeper(Protocol):
    """A member: :class:`quorate_io.operator_client.MemberLink`."""

    name: str

    async def evidence(self) -> bytes:
        """What it keeps against another one, unverified. Raises QuorateError."""


class Accusations:
    """Asks the members now and then, until there is something against one of them."""

    def __init__(
        self, members: Callable[[], Sequence[Keeper]], monotonic: Callable[[], float]
    ) -> None:
        self._members = members
        self._monotonic = monotonic
        self._look_at = float("-inf")
        self._epoch = b""
        self._found: Offered | None = None
        self._beyond: dict[str, str] = {}
        """By the digest of evidence, whom it convicts although r are under quarantine already."""
        self._refuted: dict[str, str] = {}
        """By member, the digest of what it showed last and convicts nobody."""

    @property
    def beyond(self) -> frozenset[str]:
        """Members that evidence convicts in this epoch, and that keep their votes because r are
        under quarantine."""
        return frozenset(self._beyond.values())

    async def offered(self, head: Epoch, wanted: str = "") -> tuple[Offered, ...]:
        """The quarantine that members' evidence asks for after ``head``, if any. ``wanted``: the
        digest of the record that members were asked about before, which others wait for."""
        if self._epoch != head.digest:
            self._epoch, self._found, self._refuted = head.digest, None, {}
            self._beyond = {}
        now = self._monotonic()
        if self._found is None and now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            await self._look(head, wanted)
        return () if self._found is None else (self._found,)

    async def _look(self, head: Epoch, wanted: str) -> None:
        # One after the other: each piece may be large, and the first good one is enough.
        for member in self._members():
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    data = await member.evidence()
            except (QuorateError, TimeoutError) as error:
                log.debug("%s shows no evidence: %s", member.name, error)
                continue
            found = await self._recomputed(member.name, data, head) if data else None
            if found is None:
                continue
            if self._found is None or found.digest == wanted:
                self._found = found
            if found.digest == wanted or not wanted:
                break

    async def _recomputed(self, member: str, data: bytes, head: Epoch) -> Offered | None:
        digest = quarantine.digest_of(data)
        if self._refuted.get(member) == digest or digest in self._beyond:
            return None
        try:
            if quarantine.is_full(head):
                self._beyond[digest] = await asyncio.to_thread(_accused, data, head)
                return None
            return await asyncio.to_thread(_offered, data, head)
        except QuorateError as error:
            self._refuted[member] = digest
            log.warning("what %s keeps as evidence convicts nobody: %s", member, error)
            return None


def _accused(data: bytes, head: Epoch) -> str:
    """Raises QuorateError if the evidence does not hold up."""
    return quarantine.accused(quarantine.decode(data), head, SIGNATURES)


def _offered(data: bytes, head: Epoch) -> Offered:
    """Raises QuorateError if the evidence does not hold up, or no quarantine may follow."""
    record = quarantine.propose(head, quarantine.decode(data), SIGNATURES)
    digest = epochs.open_epoch(record).digest_text
    name = f"quarantine-{digest.removeprefix('sha256:')[:DIGEST_CHARS]}"
    return Offered(name, record, digest, recomputed=data)
