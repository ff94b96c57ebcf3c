"""Asks the members: carries out what the asker's state machine decides, over any channels.

For whoever enforces: it ends with an outcome within the budget, whatever the members do.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from quorate.consensus import ask as core
from quorate.consensus.approval import Subject
from quorate.consensus.ask import (
    Answered,
    Asking,
    Broadcast,
    Effect,
    Event,
    Finished,
    Frozen,
    Heard,
    Outcome,
    Refused,
    Superseded,
    Ticked,
    Unreachable,
)
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Target
from quorate.consensus.signing import Signatures
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import NONCE_BYTES
from quorate.errors import Unavailable

UNDER_WAY_MAX = 256
"""Asks of one enforcement point at a time. More are refused: they could not end in time."""
LATE_SECONDS = 1.0
"""How long after the end an answer is still heard, for whoever looks for liars."""
HEAD_START_SECONDS = 0.001
"""For members that gave no answer last time, before all others are asked too. A refused connection
is heard in it; where askers and members share cores, it would else wait for all their judges."""


class Channel(Protocol):
    """A connection to one member."""

    async def exchange(self, message: bytes) -> bytes:
        """Send an ask, return the answer. Whatever it raises means that there is none."""


class Watcher(Protocol):
    """Hears what the members said, in time or late."""

    def heard(self, effect: Heard | Refused) -> None:
        """A genuine vote, or an answer that is none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``budget`` in seconds; with ``veto`` every member must approve. ``targets``
    are what it is about, for whoever freezes. ``marked``: a canary's nonce and audience, instead of
    a fresh one and the asker's own."""

    tier: Tier
    request: bytes
    budget: float
    veto: bool = False
    targets: tuple[Target, ...] = ()
    marked: Subject | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An ask that ended: its outcome, and the epoch and nonce that its votes are about."""

    outcome: Outcome
    epoch: Epoch
    nonce: bytes


class Asker:
    """Asks on behalf of one enforcement point. For one event loop."""

    def __init__(
        self,
        epoch: Epoch,
        channels: Mapping[str, Channel],
        audience: bytes,
        signatures: Signatures,
        watcher: Watcher,
        monotonic: Callable[[], float],
    ) -> None:
        """``channels`` by member; a member without one is one that cannot be reached."""
        self._epoch = epoch
        self._channels = channels
        self._audience = audience
        self._signatures = signatures
        self._watcher = watcher
        self._monotonic = monotonic
        self._under_way: set[_Ask] = set()
        self._exchanges: set[asyncio.Task[None]] = set()
        self._missed: set[str] = set()
        """Members that gave no answer when they were last asked."""

    async def close(self) -> None:
        """Wait for nobody any more, and hear nobody who is late."""
        for task in tuple(self._exchanges):
            task.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)

    def open_epoch(self, epoch: Epoch, channels: Mapping[str, Channel]) -> None:
        """Ask the members of a later epoch from now on. What was asked before is denied."""
        self._epoch, self._channels = epoch, channels
        self._missed = set()
        for ask in tuple(self._under_way):
            ask.feed(Superseded())

    @property
    def epoch(self) -> Epoch:
        """The epoch whose members are asked."""
        return self._epoch

    def freeze(self, is_frozen: Callable[[Target], bool]) -> None:
        """Deny what is under way about anything that is frozen now."""
        for ask in tuple(self._under_way):
            if any(is_frozen(target) for target in ask.targets):
                ask.feed(Frozen())

    async def ask(self, question: Question) -> Outcome:
        """The outcome, within the budget. Raises Unavailable if too much is under way."""
        return (await self.put(question)).outcome

    async def put(self, question: Question) -> Asked:
        """As :meth:`ask`, with what a record of it needs."""
        if len(self._under_way) >= UNDER_WAY_MAX:
            raise Unavailable(f"{UNDER_WAY_MAX} asks are under way", fix="ask again later")
        marked = question.marked
        asking, effects = core.begin(
            self._epoch,
            question.tier,
            question.request,
            nonce=marked.nonce if marked else secrets.token_bytes(NONCE_BYTES),
            audience=marked.audience if marked else self._audience,
            now=self._monotonic(),
            budget=question.budget,
            veto=question.veto,
        )
        one = _Ask(
            asking,
            question.targets,
            self._exchanges,
            self._missed,
            self._signatures,
            self._watcher,
            self._monotonic,
        )
        self._under_way.add(one)
        try:
            outcome = await one.run(effects, self._channels)
            return Asked(outcome, asking.epoch, asking.ask.nonce)
        finally:
            self._under_way.discard(one)


class _Ask:
    """One ask, until its outcome; answers that come later are still heard."""

    def __init__(
        self,
        asking: Asking,
        targets: tuple[Target, ...],
        exchanges: set[asyncio.Task[None]],
        missed: set[str],
        signatures: Signatures,
        watcher: Watcher,
        monotonic: Callable[[], float],
    ) -> None:
        self._asking = asking
        self.targets = targets
        self._signatures = signatures
        self._watcher = watcher
        self._monotonic = monotonic
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._exchanges = exchanges
        self._missed = missed

    async def run(self, effects: tuple[Effect, ...], channels: Mapping[str, Channel]) -> Outcome:
        loop = asyncio.get_running_loop()
        left = self._asking.deadline - self._monotonic()
        ending = loop.call_later(max(0.0, left), self.feed, Ticked())
        listening = max(0.0, left) + LATE_SECONDS
        try:
            for effect in effects:
                if isinstance(effect, Broadcast):
                    await self._broadcast(effect, channels, listening)
                else:
                    self._carry_out(effect)
            return await self._outcome
        finally:
            ending.cancel()

    async def _broadcast(
        self, effect: Broadcast, channels: Mapping[str, Channel], seconds: float
    ) -> None:
        """Ask all members: those first that may not be there, for if too many are not, it is over
        and waits for nobody."""

        def start(members: Iterable[str]) -> list[asyncio.Task[None]]:
            found = (self._start(member, channels.get(member), seconds) for member in members)
            return [task for task in found if task is not None]

        doubtful = [member for member in effect.members if member in self._missed]
        if early := start(doubtful):
            await asyncio.wait(early, timeout=HEAD_START_SECONDS)
        start(member for member in effect.members if member not in doubtful)

    def _start(
        self, member: str, channel: Channel | None, seconds: float
    ) -> asyncio.Task[None] | None:
        if channel is None:
            self.feed(Unreachable(member))
            return None
        task = asyncio.create_task(self._exchange(member, channel, seconds))
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        return task

    async def _exchange(self, member: str, channel: Channel, seconds: float) -> None:
        # As late as can be: on a busy loop others come first, and a member counts on what it says.
        message = core.message(self._asking, self._monotonic())
        if message is None:
            self.feed(Unreachable(member))
            return
        try:
            async with asyncio.timeout(seconds):
                data = await channel.exchange(message)
        except Exception:  # no answer, whatever the reason
            self._missed.add(member)
            self.feed(Unreachable(member))
        else:
            self._missed.discard(member)
            self.feed(Answered(member, data))

    def feed(self, event: Event) -> None:
        """Take in what happened."""
        now = self._monotonic()
        if isinstance(event, Ticked):
            # The timer may be a little early; the deadline is what it was set for.
            now = max(now, self._asking.deadline)
        self._asking, effects = core.step(self._asking, event, now, self._signatures)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Finished(outcome):
                if not self._outcome.done():
                    self._outcome.set_result(outcome)
            case Heard() | Refused():
                self._watcher.heard(effect)
            case Broadcast():
                raise AssertionError("an ask is sent once")
