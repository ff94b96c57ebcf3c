"""Learning later epochs: this member asks each other one for what follows its own chain.

An operator that is away, or holds records back, then holds up nobody who was told by others. Every
record proves itself, so a member that lies costs the time to refuse what it says.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from typing import Final

import aiohttp

from quorate.consensus.succession import CertifiedRecord
from quorate.errors import QuorateError
from quorate_consensus.epochs import Epochs
from quorate_consensus.peer_session import FAILURES, PeerSession, peer_session
from quorate_io import member_api, member_trust

LEARN_SECONDS: Final = 10.0
"""Between two looks, on average: they are spread by SPREAD, so that members do not ask as one."""
SPREAD: Final = 0.25
PAUSE_SECONDS: Final = 1.0
"""At least, between two looks, whoever says that this member is behind."""
PAGES_MAX: Final = 1_024
"""Of one member in one look: the longest chain there may be."""
START_SECONDS: Final = 30.0
"""How long a member that is in no epoch it knows looks for one it is in, when it starts."""
SEATED_SECONDS: Final = 5.0
"""How long any other one looks before it begins with what it knows."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)

Take = Callable[[CertifiedRecord], object]
"""Takes in the next record; raises QuorateError for one that is none."""

log = logging.getLogger(__name__)


class Learning:
    """Asks members for the records after the newest epoch that is known."""

    def __init__(self, session: PeerSession, epochs: Epochs, take: Take) -> None:
        self._session = session
        self._epochs = epochs
        self._take = take
        self._failed: set[str] = set()

    async def look(self, members: Collection[str]) -> int:
        """Ask all of them once, and go on with whoever has more. Returns how many told it all."""
        self._failed &= set(members)
        await asyncio.gather(*(self._ask(name) for name in sorted(members)))
        return len(members) - len(self._failed)

    async def _ask(self, name: str) -> None:
        try:
            for _ in range(PAGES_MAX):
                if not await self._page(name):
                    break
        except (QuorateError, *FAILURES) as error:
            # Told once: a member that is down is told of elsewhere.
            if name not in self._failed:
                log.warning("no epochs are learnt from %s: %s", name, error)
            self._failed.add(name)
        else:
            self._failed.discard(name)

    async def _page(self, name: str) -> bool:
        """Whether something was learnt, so that there may be more."""
        after = self._epochs.head.record.number
        query = ((member_api.AFTER_PARAMETER, str(after)),) if after else ()
        path, bytes_max = member_api.GENESIS_PATH, member_api.GENESIS_BYTES
        body = await self._session.get(name, path, query, bytes_max)
        # Elsewhere: somebody's largest nonsense must not keep pods waiting.
        answer = await asyncio.to_thread(member_trust.read, body)
        learnt = False
        for certified in answer.chain:
            if certified.record.number > self._epochs.head.record.number:
                self._take(certified)
                learnt = True
                # Each one was written to disk: let others have their turn.
                await asyncio.sleep(0)
        return learnt


class ChainPeers:
    """Follows the chain by the other members of the epoch in force. For one event loop."""

    def __init__(self, template: str, member: str, epochs: Epochs, take: Take) -> None:
        """``template`` of the members' URLs; ``member``: who this one is."""
        self._template = template
        self._member = member
        self._epochs = epochs
        self._take = take
        self._wake = asyncio.Event()
        self.looked: Callable[[int], None] = lambda told: None
        """Called after each look with how many members told all that they know."""

    def wake(self) -> None:
        """Look soon: somebody knows of more."""
        self._wake.set()

    async def follow_for_ever(self) -> None:
        """Look again and again, until cancelled."""
        async with peer_session(self._template, TIMEOUT) as session:
            learning = Learning(session, self._epochs, self._take)
            while True:
                others = set(self._epochs.head.members) - {self._member}
                self.looked(await learning.look(others))
                await asyncio.sleep(PAUSE_SECONDS)
                seconds = LEARN_SECONDS * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311
                try:
                    async with asyncio.timeout(max(0.0, seconds - PAUSE_SECONDS)):
                        await self._wake.wait()
                except TimeoutError:
                    continue
                self._wake.clear()


async def begin(template: str, epochs: Epochs, is_seated: Callable[[], bool]) -> None:
    """Learn what there is before this member begins; for longer while it has no seat in what it
    knows: one that is new knows the genesis only."""
    if not template:
        return
    try:
        async with (
            asyncio.timeout(SEATED_SECONDS if is_seated() else START_SECONDS),
            peer_session(template, TIMEOUT) as session,
        ):
            learning = Learning(session, epochs, epochs.extend)
            while True:
                await learning.look(epochs.head.members)
                if is_seated():
                    return
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        log.warning("begins with epoch %d: not all members answered", epochs.head.record.number)
