"""Keeps a member told: everything at first and whenever it asks, then every change, in order.

An empty batch is a heartbeat that says "this is still all". It is sent only while the watches are
alive: an operator that is blind must not keep old policies in force. Each member has a relay of its
own, so that none waits for another.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable

from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import ObservedAnswer
from quorate_io.member_channel import MemberRefused
from quorate_io.operator_client import MemberLink
from quorate_operator.effects.events import Bucket
from quorate_operator.metrics import Metrics
from quorate_operator.pending import Pending
from quorate_operator.reconcile.actions import PutObserved
from quorate_operator.reconcile.relay import plan_changes, plan_session
from quorate_operator.reconcile.texts import clipped
from quorate_operator.world import World

HEARTBEAT = 3.0
"""Seconds between batches if nothing changes. A state may live for 20 s only."""
DEBOUNCE = 0.05
"""Seconds in which changes are gathered into one batch."""
RETRY_FIRST = 0.5
RETRY_MAX = 5.0
ANEW_MAX = 30.0
"""Seconds between two sessions at the most, if the member ends each of them. Telling everything
costs this process time that the other members need."""
PROBLEMS_RATE, PROBLEMS_BURST = 0.2, 64.0
"""Objects a member cannot use that are logged, in a second and at once."""
SETTLED_SECONDS = 60.0
"""A session that held so long was none of those."""

log = logging.getLogger(__name__)


class _NewSession(Exception):
    """The member must be told everything again."""


class Relay:
    """Tells one member. ``on_heard`` is called when it answers again after it did not."""

    def __init__(
        self,
        link: MemberLink,
        world: World,
        clock: Clock,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self.link = link
        self._world = world
        self._clock = clock
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._pending = Pending(self._wake.set)
        world.attach(self._pending)
        self._failing_since: float | None = None
        self._heard_at: float | None = None
        self.on_heard: Callable[[], None] = lambda: None
        self.blind: Callable[[], bool] = lambda: False
        self._problems = Bucket(PROBLEMS_RATE, PROBLEMS_BURST)
        self.store_broken = ""
        """Why the member keeps no votes any more, by its own word; empty while it does."""
        self.synced = False
        """Whether the member holds everything that was here when its session began."""
        self._metrics = metrics
        metrics.member_heard.labels(link.name).set(0)
        metrics.relay_pending.labels(link.name).set(0)

    @property
    def reachable(self) -> bool:
        """Whether the last call was answered, or none was made yet."""
        return self._failing_since is None

    @property
    def heard_at(self) -> float | None:
        """When the member last took something in, in monotonic seconds; None if it never did."""
        return self._heard_at

    def down_for(self) -> float:
        """Seconds for which the member has not answered; 0 if it did."""
        return 0.0 if self._failing_since is None else self._monotonic() - self._failing_since

    def close(self) -> None:
        """The member is one no more: note nothing for it."""
        self._world.detach(self._pending)
        self._metrics.member_heard.remove(self.link.name)
        self._metrics.relay_pending.remove(self.link.name)

    async def run(self) -> None:
        """Relay for ever."""
        delay = RETRY_FIRST
        while True:
            begun = self._monotonic()
            try:
                await self._session()
            except _NewSession as error:
                settled = self._monotonic() - begun >= SETTLED_SECONDS
                delay = RETRY_FIRST if settled else min(ANEW_MAX, delay * 2)
                self.synced = False
                log.info("%s is told everything anew: %s", self.link.name, error)
                await asyncio.sleep(delay * (0.5 + random.random() / 2))  # noqa: S311 - spreads load

    async def _session(self) -> None:
        session = uuid.uuid4().hex
        self._pending.clear()
        sequence = 0
        for action in plan_session(self._world, session):
            await self._heard(action)
            sequence = action.batch.sequence
        self.synced = True
        log.info("%s was told everything in %d batches", self.link.name, sequence)
        while True:
            await self._next_turn()
            if self.blind():
                await asyncio.sleep(HEARTBEAT)
                continue
            sequence += 1
            await self._heard(plan_changes(self._world, self._pending, session, sequence))

    async def _next_turn(self) -> None:
        if not self._pending:
            self._wake.clear()
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._wake.wait()
            except TimeoutError:
                return
        await asyncio.sleep(DEBOUNCE)

    async def _heard(self, action: PutObserved) -> None:
        """Send until it is heard; the same batch may be sent again. Raises _NewSession."""
        delay = RETRY_FIRST
        while True:
            if self._pending.overflowed:
                raise _NewSession("too much changed while it did not answer")
            self._metrics.relay_pending.labels(self.link.name).set(len(self._pending))
            try:
                answer = await self.link.observe(action.batch)
            except MemberRefused as error:
                self._failed(error)
                if error.status < 500 and error.status != 429:
                    raise _NewSession(str(error)) from error
            except QuorateError as error:
                self._failed(error)
            else:
                self._succeeded(answer)
                return
            await asyncio.sleep(delay * (0.5 + random.random() / 2))  # noqa: S311 - spreads load
            delay = min(RETRY_MAX, delay * 2)

    def _succeeded(self, answer: ObservedAnswer) -> None:
        for problem in answer.problems:
            if self._problems.take(self._monotonic()):
                said = clipped(f"{problem.object}: {problem.message}")
                log.warning("%s cannot use %s", self.link.name, said)
        self.store_broken = answer.store_broken
        self._metrics.member_heard.labels(self.link.name).set(self._clock.now().timestamp())
        self._heard_at = self._monotonic()
        if self._failing_since is not None:
            self._failing_since = None
            log.info("%s answers again", self.link.name)
            self.on_heard()

    def _failed(self, error: QuorateError) -> None:
        if self._failing_since is None:
            self._failing_since = self._monotonic()
            log.warning("%s does not answer: %s", self.link.name, error)
