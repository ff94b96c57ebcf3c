"""Members of a committee as HTTPS servers on addresses of their own, for a client to ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from quorate.consensus.freeze import SignedOrder
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate_io import member_api
from quorate_io.committee_client import CommitteeClient
from quorate_io.member_api import FreezesAnswer
from tests.fakes.acting import ADMIN
from tests.fakes.committee import FakeCommittee
from tests.fakes.committee import FakeMember as Voter
from tests.fakes.member_server import FakeMember

FIRST = 11
"""Members are on 127.0.0.11 and so on, each by the name of its last number."""


@dataclass
class Node:
    """One member: how it votes, how late, what it holds frozen."""

    voter: Voter
    seconds: float = 0.0
    orders: list[SignedOrder] = field(default_factory=list)
    asked: int = 0
    types: set[str] = field(default_factory=set)
    stop: Callable[[], Awaitable[None]] | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Serve asks and freezes."""
        if request.path == member_api.ASKS_PATH:
            self.asked += 1
            self.types.add(request.headers["Content-Type"])
            body = await request.read()
            await asyncio.sleep(self.seconds)
            return web.Response(
                body=self.voter.answer(body), headers={"Content-Type": member_api.ASKS_TYPE}
            )
        if request.path == member_api.FREEZES_PATH:
            return web.Response(body=member_api.encode(await self._freezes(request)))
        return web.Response(status=404)

    async def _freezes(self, request: web.Request) -> FreezesAnswer:
        known = int(request.query.get(member_api.CURSOR_PARAMETER, "-1"))
        for _ in range(200):
            if len(self.orders) != known:
                break
            await asyncio.sleep(0.02)
        orders = tuple(self.orders[max(known, 0) :])
        return FreezesAnswer(cursor=f"{len(self.orders)}", more=False, orders=orders)


@dataclass
class Nodes:
    """A running committee, and a client of it."""

    committee: FakeCommittee
    nodes: list[Node]
    client: CommitteeClient
    servers: list[FakeMember]


@asynccontextmanager
async def nodes(folder: Path, thresholds: Thresholds = PRESETS["standard"]) -> AsyncIterator[Nodes]:
    """Serve while the block runs."""
    names = [str(FIRST + number) for number in range(thresholds.n)]
    committee = FakeCommittee(thresholds, names, [ADMIN])
    found = [Node(voter) for voter in committee.members]
    token = folder / "token"
    token.write_text("token")
    async with AsyncExitStack() as stack:
        servers: list[FakeMember] = []
        for node, key in zip(found, committee.keys, strict=True):
            server = FakeMember(
                answer=node.answer,
                name=node.voter.name,
                key=key,
                host=f"127.0.0.{node.voter.name}",
                port=servers[0].port if servers else 0,
                genesis=committee.epoch,
            )
            own = AsyncExitStack()
            await own.enter_async_context(server.serving())
            node.stop = own.aclose
            stack.push_async_callback(own.aclose)
            servers.append(server)
        url = f"https://127.0.0.{{member}}:{servers[0].port}"
        digest = committee.epoch.digest_text
        client = await stack.enter_async_context(CommitteeClient(url, names, digest, token))
        yield Nodes(committee, found, client, servers)
