"""From settings to a member's part in the chain of epochs: endorsing, and learning from others."""

import contextlib
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from quorate_consensus.chain_peers import ChainPeers
from quorate_consensus.choice_file import ChoiceFile
from quorate_consensus.endorsing import Endorsing, Meter
from quorate_consensus.settings import Settings
from quorate_consensus.voting_setup import Known


class Following:
    """What a member does about later epochs, put together."""

    def __init__(self, settings: Settings, known: Known, meter: Meter) -> None:
        """Raises InvalidInput if what was chosen before cannot be read."""
        # Of its own: evidence takes a while to recompute, and nobody else is to wait for it.
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="chain")
        files = ChoiceFile(settings.epochs) if settings.epochs is not None else None
        self.endorsing = Endorsing(
            known.identity, known.epochs, known.relay, self._workers, meter, files
        )
        self._peers: ChainPeers | None = None
        if settings.members_url:
            name = known.identity.seat.name
            self._peers = ChainPeers(settings.members_url, name, known.epochs, self.endorsing.take)
            self.endorsing.on_behind(self._peers.wake)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sign and follow while the block runs. At its end the disk has what it was given."""
        with self._workers:
            try:
                yield
            finally:
                await self.endorsing.stop()

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on beside, until cancelled."""
        return [self._peers.follow_for_ever()] if self._peers is not None else []
