"""Kubernetes Events: each thing said once, said again only after a while, and never in a flood.

An Event's name comes from what it says about which object, so that a restart repeats it as a series
instead of writing it anew.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quorate import names
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import EVENT, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import EmitEvent
from quorate_operator.reconcile.texts import clipped, clipped_to_bytes, micro_timestamp

QUIET_SECONDS = 300.0
"""The same thing about the same object is said at most once in this time."""
REMEMBERED_MAX = 20_000
RATE = 20.0
BURST = 200.0
"""Events a second over all objects, and how many at once."""
PER_OBJECT = 10
"""Different things said about one object within QUIET_SECONDS."""
POSTED_MAX = 1000
"""Events that wait to be written. More are dropped: whoever waits for an Event waits in vain."""
NOTE_BYTES = 1024
"""What the API server takes; it counts bytes."""
WRITERS = 4
CONTROLLER = f"{names.GROUP}/{names.OPERATOR_ACCOUNT}"

log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Said:
    at: float
    count: int


class Bucket:
    """Allows ``rate`` a second and ``burst`` at once, by the seconds it is told."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, 0.0

    def take(self, now: float) -> bool:
        """Take one if there is one."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True


class Events:
    """Writes Events. Failing to is logged and counted, never raised: they only inform."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        instance: str,
        clock: Clock,
        monotonic: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._holder = holder
        self._instance = clipped(instance, 128)
        self._clock = clock
        self._monotonic = monotonic
        self._metrics = metrics
        self._said: OrderedDict[str, _Said] = OrderedDict()
        self._of_object: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._bucket = Bucket(RATE, BURST)
        self._posted: asyncio.Queue[EmitEvent] = asyncio.Queue(POSTED_MAX)

    def post(self, event: EmitEvent) -> None:
        """Have it said soon. Never waits."""
        try:
            self._posted.put_nowait(event)
        except asyncio.QueueFull:
            self._metrics.events.labels("suppressed").inc()

    async def run(self) -> None:
        """Say what is posted, for ever."""

        async def write() -> None:
            while True:
                await self.emit(await self._posted.get())

        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(write())

    async def emit(self, event: EmitEvent) -> None:
        """Say it, unless it was said lately or too much is being said."""
        name = event_name(event)
        said = self._admit(name, event.target.uid)
        if said is None:
            self._metrics.events.labels("suppressed").inc()
            return
        try:
            check(self._holder)
            outcome = await self._write(name, event, said)
        except QuorateError as error:
            log.warning("no Event %s about %s: %s", event.reason, event.target.key, error)
            outcome = "failed"
        self._metrics.events.labels(outcome).inc()

    def _admit(self, name: str, uid: str) -> _Said | None:
        now = self._monotonic()
        said = self._said.get(name)
        if said is not None and now - said.at < QUIET_SECONDS:
            return None
        begun, count = self._of_object.get(uid, (now, 0))
        if now - begun >= QUIET_SECONDS:
            begun, count = now, 0
        if count >= PER_OBJECT or not self._bucket.take(now):
            return None
        self._of_object[uid] = (begun, count + 1)
        said = replace(said, at=now, count=said.count + 1) if said else _Said(now, 1)
        self._said[name] = said
        self._said.move_to_end(name)
        for remembered in (self._said, self._of_object):
            if len(remembered) > REMEMBERED_MAX:
                remembered.popitem(last=False)
        return said

    async def _write(self, name: str, event: EmitEvent, said: _Said) -> str:
        namespace = event.target.key.namespace or "default"
        if said.count == 1:
            now = self._clock.now()
            document = event_document(name, namespace, event, now, self._instance)
            try:
                await self._api.create(EVENT, namespace, document)
                return "written"
            except ApiRefused as error:
                if error.status != 409:
                    raise
        count = max(said.count, 2)
        series = {"count": count, "lastObservedTime": micro_timestamp(self._clock.now())}
        await self._api.merge(EVENT.path(namespace, name), {"series": series})
        return "repeated"


def event_name(event: EmitEvent) -> str:
    """A name that is the same whenever the same is said about the same object."""
    said = "|".join((event.target.uid, event.type, event.reason, event.action, event.note))
    digest = hashlib.sha256(said.encode("utf-8")).hexdigest()[:16]
    name = event.target.key.name[:200].rstrip("-.")
    return f"{name}.{digest}"


def event_document(
    name: str, namespace: str, event: EmitEvent, now: datetime, instance: str
) -> Document:
    """The Event as it is created."""
    key: Key = event.target.key
    regarding = {
        "apiVersion": event.target.api_version,
        "kind": key.kind,
        "name": key.name,
        "uid": event.target.uid,
    }
    if key.namespace:
        regarding["namespace"] = key.namespace
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": name, "namespace": namespace},
        "eventTime": micro_timestamp(now),
        "type": event.type,
        "reason": clipped(event.reason, 128),
        "action": event.action,
        "note": clipped_to_bytes(event.note, NOTE_BYTES),
        "regarding": regarding,
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
    }
