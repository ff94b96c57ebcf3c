"""A committee's HTTPS servers, one for each member, where a template of a URL reaches them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from aiohttp import web

from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate_consensus.epochs import Epochs
from quorate_io.member_api import ErrorBody, Failure, encode
from tests.fakes.member_server import FakeMember
from tests.fakes.signing_epochs import Cluster

Answering = Callable[[str, web.Request], Awaitable[web.StreamResponse]]
"""What the member of that name answers."""


class Servers:
    """Members ``10``, ``11``, … on 127.0.0.10, …, who answer as they are told."""

    def __init__(self, answering: Answering, thresholds: Thresholds = PRESETS["standard"]) -> None:
        self.cluster = Cluster(thresholds, prefix="1")
        self.epochs = Epochs(self.cluster.committee.epoch)
        self.answering = answering
        self.other: dict[str, Answering] = {}
        self.asked: list[str] = []
        """Members, as they were asked."""
        self.members = {name: self.member(name) for name in self.names}

    @property
    def names(self) -> list[str]:
        """All members."""
        return self.cluster.committee.names

    def member(self, name: str) -> FakeMember:
        """The server of a member, with the key it has now."""
        return FakeMember(
            partial(self._answer, name),
            name=name,
            key=self.cluster.committee.parties[name].private,
            host=f"127.0.0.{name}",
            genesis=self.epochs.genesis,
            epochs=self.epochs,
        )

    @contextlib.asynccontextmanager
    async def serving(self, *down: str) -> AsyncIterator[str]:
        """Serve, all but those who are ``down``; gives the template."""
        async with contextlib.AsyncExitStack() as stack:
            port = 0
            for name, member in self.members.items():
                if name not in down:
                    member.port = port
                    await stack.enter_async_context(member.serving())
                    port = member.port
            yield f"https://127.0.0.{{member}}:{port}"

    def tell(self, answering: Answering, *names: str) -> None:
        """These members answer otherwise."""
        self.other |= dict.fromkeys(names, answering)

    async def _answer(self, name: str, request: web.Request) -> web.StreamResponse:
        self.asked.append(name)
        return await self.other.get(name, self.answering)(name, request)


def refusing(reason: Failure, message: str = "no", status: int = 403) -> Answering:
    """Answers an error."""

    async def answer(name: str, request: web.Request) -> web.Response:
        return web.Response(status=status, body=encode(ErrorBody(reason=reason, message=message)))

    return answer
