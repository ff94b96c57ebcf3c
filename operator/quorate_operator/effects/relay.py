"""Keeps the member told: everything at first and whenever it asks, then every change, in order.

An empty batch is a heartbeat that says "this is still all". It is sent only while the watches are
alive: an operator that is blind must not keep old policies in force.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable

from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import ObservedAnswer
from quorate_io.member_client import MemberClient, MemberRefused
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import PutObserved
from quorate_operator.reconcile.relay import plan_changes, plan_session
from quorate_operator.world import World

HEARTBEAT = 3.0
"""Seconds between batches if nothing changes. A state may live for 20 s only."""
DEBOUNCE = 0.05
"""Seconds in which changes are gathered into one batch."""
RETRY_FIRST = 0.5
RETRY_MAX = 5.0

log = logging.getLogger(__name__)


class _NewSession(Exception):
    """The member must be told everything again."""


class Relay:
    """Tells one member. ``on_heard`` is called when it answers again after it did not."""

    def __init__(
        self,
        client: MemberClient,
        world: World,
        clock: Clock,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._world = world
        self._clock = clock
        self._metrics = metrics
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._failing_since: float | None = None
        self.on_heard: Callable[[], None] = lambda: None
        self.blind: Callable[[], bool] = lambda: False
        self.synced = False
        """Whether the member holds everything that was here when its session began."""

    def changed(self) -> None:
        """Something is pending: send it soon."""
        self._wake.set()

    @property
    def reachable(self) -> bool:
        """Whether the last call was answered, or none was made yet."""
        return self._failing_since is None

    def down_for(self) -> float:
        """Seconds for which the member has not answered; 0 if it did."""
        return 0.0 if self._failing_since is None else self._monotonic() - self._failing_since

    async def run(self) -> None:
        """Relay for ever."""
        delay = RETRY_FIRST
        while True:
            try:
                await self._session()
            except _NewSession as error:
                delay = RETRY_FIRST if self.synced else min(RETRY_MAX, delay * 2)
                self.synced = False
                log.info("the member is told everything anew: %s", error)
                await asyncio.sleep(delay)

    async def _session(self) -> None:
        session = uuid.uuid4().hex
        self._world.forget_relayed()
        sequence = 0
        for action in plan_session(self._world, session):
            await self._heard(action)
            sequence = action.batch.sequence
        self.synced = True
        log.info("the member was told everything in %d batches", sequence)
        while True:
            await self._next_turn()
            if self.blind():
                await asyncio.sleep(HEARTBEAT)
                continue
            sequence += 1
            await self._heard(plan_changes(self._world, session, sequence))

    async def _next_turn(self) -> None:
        pending = self._world.changed or self._world.changed_pods
        if not pending:
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
            self._report_pending()
            try:
                answer = await self._client.observe(action.batch)
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
            log.warning("the member cannot use %s: %s", problem.object, problem.message)
        self._metrics.member_heard.set(self._clock.now().timestamp())
        if self._failing_since is not None:
            self._failing_since = None
            log.info("the member answers again")
            self.on_heard()

    def _failed(self, error: QuorateError) -> None:
        if self._failing_since is None:
            self._failing_since = self._monotonic()
            log.warning("the member does not answer: %s", error)

    def _report_pending(self) -> None:
        pending = len(self._world.changed) + len(self._world.changed_pods)
        self._metrics.relay_pending.set(pending)
