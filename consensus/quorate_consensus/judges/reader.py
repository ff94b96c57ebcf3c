"""Judges that only read: pure functions of a request, run on threads beside the event loop."""

import asyncio
from concurrent.futures import Executor
from typing import Protocol

from quorate.consensus.request import Request
from quorate_consensus.judges.opinion import Identity, Opinion


class Reader(Protocol):
    """A judge without I/O. What it costs is bounded by the size of a request."""

    @property
    def identity(self) -> Identity:
        """Which judge it is."""

    def read(self, request: Request) -> Opinion:
        """What it says of ``request``. Raises only what its author did not think of."""


class OnThread:
    """A :class:`Reader` as a judge. What waits for a thread when its time is over never runs."""

    def __init__(self, reader: Reader, workers: Executor, deadline_ms: int) -> None:
        self._reader = reader
        self._workers = workers
        self.deadline_ms = deadline_ms

    @property
    def identity(self) -> Identity:
        """Which judge it is."""
        return self._reader.identity

    def at_once(self, request: Request) -> Opinion:
        """What the reader says, read on the caller's thread."""
        return self._reader.read(request)

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """What the reader says."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, self._reader.read, request)
