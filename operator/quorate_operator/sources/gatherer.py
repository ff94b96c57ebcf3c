"""Reads the sources of all models and policies, again and again, each object by itself."""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from typing import Protocol

from quorate import limits
from quorate.api.v1alpha1.document_source import DocumentSource, SourceField
from quorate.ports import Clock
from quorate_operator.kinds import SOURCED_KINDS, Key
from quorate_operator.metrics import Metrics
from quorate_operator.sources.documents import Failed, Read
from quorate_operator.sources.gathered import (
    Gathered,
    SourceState,
    advance,
    fit,
)
from quorate_operator.workqueue import WorkQueue
from quorate_operator.world import Known, World

LOOKS = 32
"""Objects whose sources are read at once."""
LOOKS_PER_NAMESPACE = 8
"""Of these, in one namespace: registries that never end an answer hold up their own tenant."""
REFRESH_CONFIG_MAPS_SECONDS = 60.0
"""Between two readings of an object's sources if a ConfigMap is among them, at most."""
RETRY_FIRST = 2.0
RETRY_MAX = 120.0
JITTER = 0.1
HELD_BYTES = 96 * limits.MIB
"""Fetched documents held for all objects, and relayed to members."""
HELD_BYTES_PER_NAMESPACE = 16 * limits.MIB

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads one source, and never raises."""

    async def read(
        self, namespace: str, field: SourceField, source: DocumentSource
    ) -> Read | Failed:
        """What it holds now, or why that is not known."""


class Gatherer:
    """Keeps the world told of what the sources of its models and policies hold.

    ``follow`` is given the keys of what must be looked at because something changed. Sources that
    were read are read again every ``refresh`` seconds: a new document counts so much later at most.
    """

    def __init__(
        self,
        world: World,
        reader: Reader,
        follow: Callable[[set[Key]], None],
        clock: Clock,
        metrics: Metrics,
        refresh: float,
    ) -> None:
        self._world = world
        self._reader = reader
        self._follow = follow
        self._clock = clock
        self._metrics = metrics
        self._refresh = refresh
        self._queue = WorkQueue(
            "sources",
            keys_max=limits.MODELS_PER_CLUSTER,
            min_interval=1.0,
            at_once=LOOKS_PER_NAMESPACE,
        )
        self._failures: dict[Key, int] = {}
        self._held: dict[Key, int] = {}

    def noticed(self, key: Key) -> None:
        """An object is there, was changed or went: read its sources soon if one is new."""
        known = self._world.get(key)
        if known is None or known.gathered is None or not known.gathered.states:
            self._failures.pop(key, None)
            self._held.pop(key, None)
        elif known.gathered.untried:
            self._queue.add(key)

    async def run(self) -> None:
        """Read for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOKS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                again = await self.look(key)
            except Exception:
                # Without this, one fault would end the reading of all sources.
                log.exception("%s: its sources could not be looked at", key)
                self._queue.failed(key)
                continue
            self._queue.done(key)
            if again is not None:
                self._queue.add_in(key, again)
            self._refill()

    async def look(self, key: Key) -> float | None:
        """Read all sources of an object once; seconds until it is time to read them again."""
        known = self._world.get(key)
        if known is None or known.gathered is None or not known.gathered.states:
            self.noticed(key)
            return None
        states = known.gathered.states
        results = await asyncio.gather(
            *(self._reader.read(key.namespace, state.field, state.source) for state in states)
        )
        changed = self._world.get(key)
        if changed is None or changed.gathered is None:
            self.noticed(key)
            return None
        self._take_in(key, changed, dict(zip(states, results, strict=True)))
        return self._again_in(key)

    def _take_in(self, key: Key, known: Known, results: dict[SourceState, Read | Failed]) -> None:
        assert known.gathered is not None  # noqa: S101 - the caller looked
        now = self._clock.now()
        recorded = known.recorded
        by_source = {(state.field, state.source): result for state, result in results.items()}
        states = []
        for state in known.gathered.states:
            result = by_source.get((state.field, state.source))
            if result is None:
                states.append(state)  # it came in while the others were read
                continue
            self._count(key, state, result)
            states.append(advance(state, result, recorded.get(state.key), now))
        gathered = self._within_budget(key, fit(states, known.inline, limits.FETCHED_BYTES))
        self._held[key] = gathered.bytes
        self._follow(self._world.put_gathered(key, gathered))

    def _within_budget(self, key: Key, gathered: Gathered) -> Gathered:
        """All sources as failed if there is no room for what they hold."""
        others = {other: size for other, size in self._held.items() if other != key}
        own = sum(size for other, size in others.items() if other.namespace == key.namespace)
        if (
            own + gathered.bytes <= HELD_BYTES_PER_NAMESPACE
            and sum(others.values()) + gathered.bytes <= HELD_BYTES
        ):
            return gathered
        failed = Failed(
            "TooManyDocuments",
            "the models and policies of this namespace, or of all, hold more fetched documents "
            "than is allowed",
            fix="remove models or documents that are no longer needed",
        )
        return Gathered(
            tuple(
                SourceState(state.field, state.source, unread=False, failure=failed)
                for state in gathered.states
            )
        )

    def _count(self, key: Key, state: SourceState, result: Read | Failed) -> None:
        kind = "configMap" if state.source.config_map is not None else "ociReferrers"
        outcome = "read" if isinstance(result, Read) else "failed"
        self._metrics.source_readings.labels(kind, outcome).inc()
        if isinstance(result, Failed):
            log.warning("%s: %s[%s]: %s", key, *state.key, result.message)

    def _again_in(self, key: Key) -> float:
        known = self._world.get(key)
        gathered = known.gathered if known else None
        spread = 1 - JITTER + 2 * JITTER * random.random()  # noqa: S311 - spreads load only
        if gathered is not None and gathered.failing:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            return min(RETRY_MAX, RETRY_FIRST * 2.0 ** min(failures - 1, 16)) * spread
        self._failures.pop(key, None)
        states = gathered.states if gathered else ()
        local = any(state.source.config_map is not None for state in states)
        return min(self._refresh, REFRESH_CONFIG_MAPS_SECONDS if local else math.inf) * spread

    def _refill(self) -> None:
        if self._queue.overflowed and len(self._queue) == 0:
            self._queue.overflowed = False
            for kind in SOURCED_KINDS:
                for key in self._world.keys(kind):
                    self._queue.add(key)
