"""Keeps the signed state fresh. It believes only what was verified; how is the client's affair."""

import asyncio
import logging
import random
from typing import Protocol

from quorate.errors import QuorateError
from quorate.manifest import Manifest
from quorate.signed_state import PodState, StateDenied
from quorate_sidecar.standing import Standing

POLL_SECONDS = 10.0
"""Between two polls. A key removed from a policy, or a denial, takes at most this long."""
POLLS_PER_LIFE = 6
"""States that live shorter are asked for more often: a few lost polls must not expire one."""
JITTER = 0.2
"""Share of the period by which polls of many pods drift apart."""
RETRY_SECONDS = (1.0, 2.0, 5.0)
"""Waits after the first, second and any further failure in a row."""

log = logging.getLogger(__name__)


class StateSource(Protocol):
    """Where verified states come from: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def state(self, pod_uid: str) -> PodState:
        """The pod's state. Raises StateDenied, or another QuorateError if there is none."""

    async def manifest(self, digest: str) -> Manifest:
        """The manifest with this digest, to say what differs. Raises QuorateError."""


class StateKeeper:
    """Asks again and again, and writes the answers into the standing."""

    def __init__(self, source: StateSource, standing: Standing, pod_uid: str) -> None:
        self._source = source
        self._standing = standing
        self._pod_uid = pod_uid
        self.failures = 0
        """Polls without an answer, in a row."""
        self.last_error = "it was not asked yet"

    async def poll(self) -> None:
        """Ask once. A source that does not answer changes nothing: the state expires by itself."""
        try:
            state = await self._source.state(self._pod_uid)
        except StateDenied as denied:
            self.failures = 0
            self._standing.deny(denied.reason, denied.message)
            log.warning("the committee denies this pod: %s: %s", denied.reason, denied.message)
        except QuorateError as error:
            self.failures += 1
            self.last_error = str(error)
            log.warning("no signed state (attempt %d): %s", self.failures, error)
        else:
            self.failures = 0
            self._take(state)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.poll()
            await asyncio.sleep(self._wait())

    async def first(self, seconds: float) -> None:
        """Ask until there is an answer, or ``seconds`` are over."""
        standing = self._standing
        try:
            async with asyncio.timeout(seconds):
                while standing.state is None and standing.denial is None:
                    await self.poll()
                    if standing.state is None and standing.denial is None:
                        await asyncio.sleep(self._wait())
        except TimeoutError:
            log.error("no member answered within %.0f seconds", seconds)

    def _take(self, state: PodState) -> None:
        known = self._standing.state
        if not self._standing.accept(state):
            log.error("a signed state of %s is older than the known one; kept", state.issued_at)
        elif known is None or known.rules != state.rules:
            log.info("policy in force", extra={"policies": " ".join(state.policy_digests)})

    def _period(self) -> float:
        state = self._standing.state
        if state is None:
            return POLL_SECONDS
        life = (state.expires_at - state.issued_at).total_seconds()
        return min(POLL_SECONDS, life / POLLS_PER_LIFE)

    def _wait(self) -> float:
        if self.failures:
            period = RETRY_SECONDS[min(self.failures, len(RETRY_SECONDS)) - 1]
        else:
            period = self._period()
        return period * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
