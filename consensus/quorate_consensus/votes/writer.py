"""Group commit: what arrives while the disk is busy goes with the next write.

One group at a time: written, made certain, and only then said.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quorate_consensus.votes.log_file import GROUP_BYTES


class GroupWriter:
    """Appends records to one log. For one event loop."""

    def __init__(
        self,
        path: Path,
        persisted: Callable[[int], None],
        failed: Callable[[OSError], None],
        took: Callable[[float], None] | None = None,
    ) -> None:
        """``persisted`` hears the last sequence that is certain; ``failed`` that the disk refused;
        ``took`` the seconds of one group.

        After a failure nothing more is written: what is on disk is not known any more.
        """
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._persisted = persisted
        self._failed = failed
        self._took = took
        self._queue: deque[tuple[int, bytes]] = deque()
        self._wake = asyncio.Event()
        self._broken = False

    def append(self, sequence: int, record: bytes) -> None:
        """Queue a record. The number of those under way bounds the queue: see ASKS_MAX."""
        self._queue.append((sequence, record))
        self._wake.set()

    async def write_for_ever(self) -> None:
        """Write groups until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="votes") as disk:
            while not self._broken:
                await self._wake.wait()
                self._wake.clear()
                while self._queue and not self._broken:
                    sequence, group = self._take()
                    try:
                        seconds = await loop.run_in_executor(disk, self._commit, group)
                    except OSError as error:
                        self._broken = True
                        self._failed(error)
                    else:
                        if self._took is not None:
                            self._took(seconds)
                        self._persisted(sequence)

    def _take(self) -> tuple[int, bytes]:
        group = bytearray()
        sequence = 0
        while self._queue and len(group) + len(self._queue[0][1]) <= GROUP_BYTES:
            sequence, record = self._queue.popleft()
            group += record
        return sequence, bytes(group)

    def _commit(self, group: bytes) -> float:
        begin = time.monotonic()
        view = memoryview(group)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fdatasync(self._descriptor)
        return time.monotonic() - begin

    def close(self) -> None:
        """Close the file. What is queued is not written."""
        self._broken = True
        os.close(self._descriptor)
