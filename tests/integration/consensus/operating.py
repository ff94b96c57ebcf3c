"""What the operator does with members, by hand: it relays, asks for votes, relays what it got."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import msgspec

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


def now() -> datetime:
    """The whole second that it is."""
    return SystemClock().now().replace(microsecond=0)


def pod_client(cluster: Cluster, who: str = "pod", digest: str | None = None) -> CommitteeClient:
    """A pod's client, with this token and pinned digest."""
    members = [seat.name for seat in cluster.genesis.record.seats]
    token_file = cluster.folder / f"{who}.token"
    return CommitteeClient(cluster.url, members, digest or cluster.genesis.digest_text, token_file)


class Operating:
    """A client with the operator's token. Answers of one member are the first one's."""

    def __init__(self, cluster: Cluster, who: str = "operator") -> None:
        members = [seat.name for seat in cluster.genesis.record.seats]
        token_file = cluster.folder / f"{who}.token"
        self.client = OperatorClient(cluster.url, members, cluster.genesis.digest_text, token_file)

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
        await self.client.history()
        links = self.client.members()
        return (await asyncio.gather(*(link.observe(batch) for link in links)))[0]

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
