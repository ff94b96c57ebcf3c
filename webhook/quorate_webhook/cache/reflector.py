"""Keeps one kind in step with the API server: list, watch, begin again.

A list is read again only if the API server no longer has the changes since the last one (410).
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

import msgspec

from quorate.admission.store import Key
from quorate.errors import LimitExceeded, Unavailable
from quorate_webhook.cache import documents
from quorate_webhook.cache.client import Refused
from quorate_webhook.cache.intake import Intake
from quorate_webhook.cache.kinds import Kind

BACKOFF_SECONDS = (0.2, 10.0)
"""The first and the longest wait after a failure; each is half chance, so that replicas spread."""
GONE = 410

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where lists and watches come from: :class:`quorate_webhook.cache.client.Client`."""

    async def list(self, kind: Kind, continue_: str) -> bytes:
        """One page of a list."""

    def watch(self, kind: Kind, version: str) -> AsyncGenerator[bytes, None]:
        """Lines of a watch; the first item is empty."""


class Meter(Protocol):
    """What a reflector reports."""

    def failed(self, kind: Kind) -> None:
        """A list or watch failed and will be begun again."""

    def refused(self, kind: Kind) -> None:
        """An object could not be taken in."""


class _Gone(Exception):
    """The API server no longer has the changes since the version that was asked for."""


class Reflector:
    """One kind. ``monotonic`` is in seconds."""

    def __init__(
        self,
        kind: Kind,
        source: Source,
        intake: Intake,
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        self.kind = kind
        self.synced = asyncio.Event()
        """Set once a whole list was taken in."""
        self._source = source
        self._intake = intake
        self._meter = meter
        self._monotonic = monotonic
        self._heard = monotonic()
        self._version = ""
        self._failures = 0

    @property
    def age(self) -> float:
        """Seconds since the API server last answered anything about the kind."""
        return self._monotonic() - self._heard

    async def run(self) -> None:
        """Keep in step for ever."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except _Gone:
                log.info("%s: reading the list again", self.kind.name)
                self._version = ""
            except (Unavailable, LimitExceeded, msgspec.MsgspecError, ValueError) as error:
                await self._failed(error)

    async def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._meter.failed(self.kind)
        if isinstance(error, Refused) and error.status == GONE:
            self._version = ""
        least, most = BACKOFF_SECONDS
        wait = min(most, least * 2 ** min(self._failures, 10))
        wait *= random.uniform(0.5, 1)  # noqa: S311 - only spreads load
        log.warning("%s: %s; again in %.1f s", self.kind.name, error, wait)
        await asyncio.sleep(wait)

    def _hear(self) -> None:
        self._heard = self._monotonic()
        self._failures = 0

    async def _list(self) -> None:
        seen: set[Key] = set()
        continue_ = version = ""
        while True:
            page = documents.page(await self._source.list(self.kind, continue_))
            for raw in page.items or ():
                seen.add(self._put(raw))
                # Verifying a certificate takes a fraction of a millisecond; reviews go in between.
                await asyncio.sleep(0)
            self._hear()
            continue_, version = page.metadata.continue_, page.metadata.resource_version
            if not continue_:
                break
        for key in set(self._intake.keys(self.kind)) - seen:
            self._intake.remove(self.kind, key)
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        async with contextlib.aclosing(self._source.watch(self.kind, self._version)) as lines:
            async for line in lines:
                if line:
                    self._take(documents.event(line))
                self._hear()

    def _take(self, event: documents.Event) -> None:
        if event.type == "ERROR":
            failure = documents.failure(event.object)
            if failure.code == GONE:
                raise _Gone
            raise Refused(failure.code, failure.message)
        metadata = documents.named(event.object)
        if event.type == "DELETED":
            self._intake.remove(self.kind, (metadata.namespace, metadata.name))
        elif event.type in ("ADDED", "MODIFIED"):
            self._put(event.object)
        elif event.type != "BOOKMARK":
            raise Unavailable(f"a watch event of type {event.type[:40]!r}")
        self._version = metadata.resource_version

    def _put(self, raw: msgspec.Raw) -> Key:
        key, taken = self._intake.put(self.kind, raw)
        if not taken:
            self._meter.refused(self.kind)
        return key
