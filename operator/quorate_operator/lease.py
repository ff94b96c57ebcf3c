"""The operator's Lease: at most one operator works at a time.

A holder works only while it knows that nobody else may: from a successful renewal until DURATION
has passed on its own monotonic clock. A candidate judges a holder's time by its own monotonic
clock as well, from when it saw the Lease change last; the clocks of two machines are never
compared.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.kinds import LEASE, Key
from quorate_operator.reconcile.texts import micro_timestamp

DURATION = 30.0
"""Seconds after a renewal in which nobody else may take the Lease."""
PERIOD = 5.0
"""Seconds between renewals, and between looks of a candidate."""

log = logging.getLogger(__name__)
Document = dict[str, Any]


class LeaseLost(Exception):
    """This process must stop at once: another one may be working."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was last seen of the Lease, and when by the monotonic clock."""

    version: str
    at: float


def free(lease: Document, identity: str, sight: Sight, now: float) -> bool:
    """Whether ``identity`` may take a Lease that was first seen in this version at ``sight``."""
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    duration = float(spec.get("leaseDurationSeconds") or DURATION)
    return holder in ("", identity) or now - sight.at > duration


def look(lease: Document, last: Sight | None, now: float) -> Sight:
    """Keep the time at which this version was first seen."""
    version = str(lease["metadata"]["resourceVersion"])
    return last if last is not None and last.version == version else Sight(version, now)


def taken(lease: Document, identity: str, now: datetime) -> Document:
    """The Lease as it is written to hold it."""
    spec = dict(lease.get("spec") or {})
    if spec.get("holderIdentity") != identity:
        spec["acquireTime"] = micro_timestamp(now)
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    spec["holderIdentity"] = identity
    spec["leaseDurationSeconds"] = int(DURATION)
    spec["renewTime"] = micro_timestamp(now)
    return {**lease, "spec": spec}


class Lease:
    """One Lease and this process's claim on it."""

    def __init__(
        self,
        api: ApiServer,
        key: Key,
        identity: str,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._api = api
        self._key = key
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._lease: Document | None = None
        self._sight: Sight | None = None
        self._held_until = 0.0

    @property
    def held(self) -> bool:
        """Whether nobody else can be working now."""
        return self._monotonic() < self._held_until

    async def acquire(self) -> None:
        """Wait until the Lease is this process's, however long the API server is away."""
        log.info("waiting for Lease %s as %s", self._key, self._identity)
        while True:
            try:
                if await self._take():
                    log.info("holding Lease %s", self._key)
                    return
            except QuorateError as error:
                log.warning("Lease %s: %s", self._key, error)
            await asyncio.sleep(_jittered(PERIOD))

    async def keep(self) -> None:
        """Renew for ever. Raises LeaseLost as soon as the Lease is not, or may not be, ours."""
        while True:
            await asyncio.sleep(_jittered(PERIOD))
            remaining = self._held_until - self._monotonic()
            another = False
            try:
                async with asyncio.timeout(max(remaining, 0.0)):
                    another = not await self._take()
            except (QuorateError, TimeoutError) as error:
                log.warning("Lease %s not renewed: %s", self._key, error or "no answer in time")
            if another or not self.held:
                raise LeaseLost(f"{self._key} is not held by {self._identity} any more")

    async def release(self) -> None:
        """Let the next one have it at once. Best effort: it ends by itself."""
        if self._lease is None or not self.held:
            return
        self._held_until = 0.0
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._api.replace(LEASE, self._key, {**self._lease, "spec": spec})
        except QuorateError as error:
            log.warning("Lease %s not released: %s", self._key, error)

    async def _take(self) -> bool:
        """Take or renew; False if somebody else holds it. Raises QuorateError if unknown."""
        begun = self._monotonic()
        found = self._lease if self._lease and self.held else await self._read()
        # If a write fails it may have happened all the same: then the next look reads again.
        self._lease = None
        self._sight = look(found, self._sight, begun)
        if not free(found, self._identity, self._sight, begun):
            return False
        wanted = taken(found, self._identity, self._clock.now())
        self._lease = await self._api.replace(LEASE, self._key, wanted)
        # Counted from before the request: the API server wrote it after that.
        self._held_until = begun + DURATION
        return True

    async def _read(self) -> Document:
        try:
            return await self._api.get(LEASE.path(self._key.namespace, self._key.name))
        except ApiRefused as error:
            if error.status != 404:
                raise
        empty = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._key.name, "namespace": self._key.namespace},
            "spec": {},
        }
        return await self._api.create(LEASE, self._key.namespace, empty)


def _jittered(seconds: float) -> float:
    return seconds * (0.9 + random.random() / 5)  # noqa: S311 - spreads load only
