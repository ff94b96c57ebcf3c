"""Asking every member by itself: what it knows, over a channel that is verified to be its own."""

import asyncio
import contextlib
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.canonical import canonical
from quorate.consensus.epoch import Epoch
from quorate.consensus.history import History
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import QuorateError, Unavailable
from quorate.genesis import parse_genesis
from quorate.ports import Clock
from quorate_cli.committee import whereabouts
from quorate_cli.committee.chain_file import Chain
from quorate_cli.committee.whereabouts import Whereabouts
from quorate_io.clock import SystemClock
from quorate_io.member_api import GenesisAnswer
from quorate_io.member_channel import MemberChannel, Request
from quorate_io.member_trust import Followed

CLOSING: Final = 0.1
TIMEOUT: Final = 20.0
"""Seconds for all that one member tells of its chain."""


class _Recorded(Followed):
    """What one member tells, with the records themselves."""

    def __init__(self, genesis_digest: str) -> None:
        super().__init__(genesis_digest)
        self.genesis: Epoch | None = None
        self.records: list[CertifiedRecord] = []

    def follow(self, answer: GenesisAnswer) -> History:
        """As the base class. Raises the same."""
        history = super().follow(answer)
        if self.genesis is None:
            self.genesis = parse_genesis(canonical(answer.genesis))
        for one in answer.chain:
            if one.record.number == len(self.records) + 1:
                self.records.append(one)
        return history


@dataclass(frozen=True, slots=True)
class Heard:
    """What one member told. ``problem``: why it is not heard, or not believed to be the member."""

    name: str
    url: str
    chain: Chain | None
    history: History | None
    problem: str = ""
    fix: str = ""

    @property
    def answers(self) -> bool:
        """Whether the member itself answered."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Survey:
    """What all told, and the newest of it."""

    heard: tuple[Heard, ...]
    chain: Chain
    history: History

    @property
    def head(self) -> Epoch:
        """The newest epoch that anybody proved."""
        return self.history.head

    @property
    def answering(self) -> tuple[str, ...]:
        """Names of the members that answered."""
        return tuple(one.name for one in self.heard if one.answers)

    @property
    def forks(self) -> tuple[str, ...]:
        """Digests of other epochs of the head's number, as certified as the head. Never, unless
        more lied than are tolerated, or administrators recovered what was decided."""
        others = set()
        for one in self.heard:
            known = one.history.recent if one.history is not None else ()
            others |= {
                epoch.digest_text
                for epoch in known
                if any(
                    epoch.record.number == ours.record.number and epoch.digest != ours.digest
                    for ours in self.history.recent
                )
            }
        return tuple(sorted(others))


@contextlib.asynccontextmanager
async def opened(arguments: Namespace, token_file: Path | None = None) -> AsyncIterator["Members"]:
    """The channels to the members, as the command line or the cluster says. Raises QuorateError."""
    with whereabouts.found(arguments) as places:
        members = Members(places, token_file)
        try:
            yield members
        finally:
            await members.close()


Act = Callable[[Heard], Awaitable[None]]
"""What to do with a member that answered. It must not raise."""


class Members:
    """The channels to all members, for one event loop. Close it."""

    def __init__(
        self, places: Whereabouts, token_file: Path | None = None, clock: Clock | None = None
    ) -> None:
        """With a ``token_file`` calls show the token in it."""
        self._places = places
        self._token_file = token_file
        self._clock = clock or SystemClock()
        self._channels: dict[str, tuple[MemberChannel, _Recorded]] = {}

    async def survey(self, act: Act | None = None) -> Survey:
        """What all members tell; those that a later epoch names are asked as well, as far as it is
        known where they are. ``act`` is called for each that answers, as soon as it does: what is
        urgent waits for nobody. Raises Unavailable if none proved anything."""
        heard = await self._ask(self._places.first(), act)
        newest = _newest(heard)
        if newest is not None:
            later = self._places.of(newest[1].head.members)
            fresh = {name: later[name] for name in later if name not in heard}
            heard |= await self._ask(fresh, act)
            newest = _newest(heard) or newest
        if newest is None:
            said = "; ".join(f"{one.name}: {one.problem}" for one in heard.values())
            fix = next((one.fix for one in heard.values() if one.fix), "")
            raise Unavailable(f"no member answered: {said}"[:2_000], fix=fix)
        return Survey(tuple(heard.values()), *newest)

    async def call_all(
        self, names: tuple[str, ...], request: Request
    ) -> Mapping[str, bytes | QuorateError]:
        """What each of these members answers to the same request."""
        answers = await asyncio.gather(*(self._call(name, request) for name in names))
        return dict(zip(names, answers, strict=True))

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(channel.close() for channel, _ in self._channels.values()))
        # Closing TLS takes a round trip that nobody waits for, and the loop ends after this.
        await asyncio.sleep(CLOSING)

    async def _ask(self, urls: Mapping[str, str], act: Act | None) -> dict[str, Heard]:
        async def heard(name: str, url: str) -> Heard:
            one = await self._hear(name, url)
            if act is not None and one.answers:
                await act(one)
            return one

        found = await asyncio.gather(*(heard(name, url) for name, url in urls.items()))
        return {one.name: one for one in found}

    async def _hear(self, name: str, url: str) -> Heard:
        recorded = _Recorded(self._places.digest)
        channel = MemberChannel(
            url,
            recorded,
            self._token_file,
            self._clock,
            name,
            forwarded=self._places.is_forwarded(name),
        )
        self._channels[name] = channel, recorded
        problem = fix = ""
        try:
            async with asyncio.timeout(TIMEOUT):
                # The first fetches over a channel nobody verified; the second proves whose it is.
                await channel.trust()
                await channel.learn()
        except QuorateError as error:
            problem, fix = error.message, error.fix
        except TimeoutError:
            problem = f"did not answer within {TIMEOUT:g} s"
        genesis = recorded.genesis
        chain = Chain(genesis, tuple(recorded.records)) if genesis is not None else None
        return Heard(name, url, chain, recorded.history, problem, fix)

    async def _call(self, name: str, request: Request) -> bytes | QuorateError:
        try:
            async with asyncio.timeout(request.timeout):
                return await self._channels[name][0].call(request)
        except QuorateError as error:
            return error
        except TimeoutError:
            return Unavailable(f"did not answer within {request.timeout:g} s")


def _newest(heard: Mapping[str, Heard]) -> tuple[Chain, History] | None:
    """The longest chain that anybody proved, whoever it is."""
    known = [
        (one.chain, one.history)
        for one in heard.values()
        if one.chain is not None and one.history is not None
    ]
    return max(known, key=lambda pair: pair[1].head.record.number, default=None)
