"""All watched kinds together: the world a review is judged in, and whether it can be relied on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from quorate.admission.store import Store
from quorate_webhook.cache.bound_pods import BoundPods
from quorate_webhook.cache.intake import Intake
from quorate_webhook.cache.kinds import BOUND_POD, KINDS, POD
from quorate_webhook.cache.pending_pods import PendingPods
from quorate_webhook.cache.reflector import Meter, Reflector, Source
from quorate_webhook.review import World

STALE_SECONDS = 120.0
"""Twice the time after which a watch is begun anew at the latest."""


class Cache:
    """Follows the cluster. Everything is DENY until all of it is known, and when it grows old."""

    def __init__(
        self,
        store: Store,
        pods: PendingPods,
        bound: BoundPods,
        reflectors: Sequence[Reflector],
        monotonic: Callable[[], float],
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._monotonic = monotonic
        self._well_until = 0.0
        self._store = store
        self._pods = pods
        self._bound = bound
        self._reflectors = reflectors
        self._stale_seconds = stale_seconds

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the cluster while the block runs. An error of a reflector ends the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reflector.run()) for reflector in self._reflectors]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def synced(self) -> None:
        """Wait until every kind was listed once."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    def world(self) -> World:
        """What is known now. Use it at once: it changes with the cluster."""
        return World(self._store.snapshot(), self._pods, self._bound, self._why_not())

    def not_ready(self) -> list[str]:
        """Why nothing may be decided; empty if all is well."""
        reasons = []
        for reflector in self._reflectors:
            if not reflector.synced.is_set():
                reasons.append(f"{reflector.kind.name}: not listed yet")
            elif reflector.age > self._stale_seconds:
                reasons.append(f"{reflector.kind.name}: nothing heard for {reflector.age:.0f} s")
        return reasons

    def ages(self) -> dict[str, float]:
        """Seconds since the API server last answered about each kind."""
        return {reflector.kind.name: reflector.age for reflector in self._reflectors}

    def counts(self) -> dict[str, int]:
        """How many objects of each kind are known."""
        counts = {kind.name: len(self._store.keys(kind.name)) for kind in KINDS}
        return counts | {POD.name: len(self._pods), BOUND_POD.name: len(self._bound)}

    def _why_not(self) -> str:
        """Asked for every review, so looked up at most once a second while all is well."""
        now = self._monotonic()
        if now >= self._well_until:
            reasons = self.not_ready()
            if reasons:
                return "the webhook's view of the cluster: " + "; ".join(reasons)
            self._well_until = now + 1.0
        return ""


def build_cache(
    store: Store,
    pods: PendingPods,
    source: Source,
    meter: Meter,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
    stranger: Callable[[], None],
    stale_seconds: float = STALE_SECONDS,
) -> Cache:
    """A cache of every kind from one source. ``stranger``: as Intake's."""
    bound = BoundPods()
    intake = Intake(store, pods, bound, now, stranger)
    reflectors = [Reflector(kind, source, intake, meter, monotonic) for kind in KINDS]
    return Cache(store, pods, bound, reflectors, monotonic, stale_seconds)
