"""What the operator does with members, by hand: it relays, asks for votes, relays what it got."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from quorate.errors import Unavailable
from quorate_io.clock import SystemClock
from quorate_io.committee_client import CommitteeClient
from quorate_io.member_api import (
    CERTIFICATES_FIELD,
    ObservedAnswer,
    ObservedBatch,
    ReportsAnswer,
)
from quorate_io.operator_client import Evaluation, OperatorClient
from tests.integration.consensus.member_process import Cluster

BEAT_SECONDS = 1.0


def now() -> datetime:
    """The whole second that it is."""
    return SystemClock().now().replace(microsecond=0)


def pod_client(cluster: Cluster, who: str = "pod", digest: str | None = None) -> CommitteeClient:
    """A pod's client, with this token and pinned digest."""
    pinned, token_file = digest or cluster.genesis.digest_text, cluster.folder / f"{who}.token"
    return CommitteeClient(cluster.template, cluster.names, pinned, token_file)


class Operating:
    """A client with the operator's token. Answers of one member are the first one's."""

    def __init__(self, cluster: Cluster, who: str = "operator") -> None:
        pinned, token_file = cluster.genesis.digest_text, cluster.folder / f"{who}.token"
        self.client = OperatorClient(cluster.template, cluster.names, pinned, token_file)
        self._last = ("", 0)
        self._telling = threading.Lock()
        self._cluster = cluster

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.close()

    async def observe(self, batch: ObservedBatch) -> ObservedAnswer:
        """Relay to all members."""
        return await self._observe(self.client, batch)

    async def tell(self, **changes: Any) -> ObservedAnswer:
        """The next batch of the session; an empty one says that this is still all."""
        return await self._tell(self.client, changes)

    async def _tell(self, client: OperatorClient, changes: dict[str, Any]) -> ObservedAnswer:
        await asyncio.to_thread(self._telling.acquire)
        try:
            session, sequence = self._last
            batch = ObservedBatch(session=session, sequence=sequence + 1, **changes)
            return await self._observe(client, batch)
        finally:
            self._telling.release()

    async def _observe(self, client: OperatorClient, batch: ObservedBatch) -> ObservedAnswer:
        self._last = (batch.session, batch.sequence)
        await client.history()
        links = client.members()
        return (await asyncio.gather(*(link.observe(batch) for link in links)))[0]

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Say it again and again, also while the test waits for a process: states and receipts end
        some time after the operator was heard last."""
        ending = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._beat(ending)))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            await asyncio.to_thread(thread.join)

    async def _beat(self, ending: threading.Event) -> None:
        async with Operating(self._cluster) as beside:
            while not ending.is_set():
                await asyncio.sleep(BEAT_SECONDS)
                with contextlib.suppress(Unavailable):
                    await self._tell(beside.client, {})

    async def evaluate(self, policy: Mapping[str, Any], model: Mapping[str, Any]) -> Evaluation:
        """Ask for votes as of now."""
        return await self.client.evaluate(policy, model, now())

    async def reports(self, cursor: str = "") -> ReportsAnswer:
        """What pods reported."""
        await self.client.history()
        return await self.client.members()[0].reports(cursor)

    async def collected(
        self, model: dict[str, Any], *policies: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The model with its certificates for these policies, as far as it gets any."""
        found = [(await self.evaluate(policy, model)).certificate for policy in policies]
        return model | {CERTIFICATES_FIELD: [envelope for envelope in found if envelope]}

    async def vouch(self, batch: ObservedBatch) -> ObservedAnswer:
        """Relay a batch whose models have certificates for all policies in it."""
        models = [await self.collected(model, *batch.policies) for model in batch.models]
        return await self.observe(msgspec.structs.replace(batch, models=tuple(models)))
