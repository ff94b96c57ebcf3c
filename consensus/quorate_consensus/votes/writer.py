"""Group commit: what arrives while the disk is busy goes with the next write.

One group at a time: written, made certain, and only then said.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quorate.errors import QuorateError
from quorate_consensus.votes import compaction
from quorate_consensus.votes.compaction import Compaction
from quorate_consensus.votes.log_file import GROUP_BYTES

log = logging.getLogger(__name__)


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
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._descriptor).st_size
        self._compact_at = compaction.COMPACT_BYTES
        self._copying: tuple[Compaction, asyncio.Future[None]] | None = None
        self._persisted = persisted
        self._failed = failed
        self._took = took
        self._queue: deque[tuple[int, bytes]] = deque()
        self._wake = asyncio.Event()
        self._broken = False
        self._retired = False

    def append(self, sequence: int, record: bytes) -> None:
        """Queue a record. The number of those under way bounds the queue: see ASKS_MAX."""
        self._queue.append((sequence, record))
        self._wake.set()

    async def write_for_ever(self) -> None:
        """Write groups until cancelled."""
        with ThreadPoolExecutor(1, thread_name_prefix="votes") as disk:
            try:
                while not self._broken:
                    await self._wake.wait()
                    self._wake.clear()
                    await self._compact(disk)
                    while self._queue and not self._broken:
                        await self._write(disk)
                        await self._compact(disk)
            finally:
                if self._copying is not None:
                    self._copying[0].interrupted = True

    async def _write(self, disk: ThreadPoolExecutor) -> None:
        sequence, group = self._take()
        try:
            loop = asyncio.get_running_loop()
            seconds = await loop.run_in_executor(disk, self._commit, group)
        except OSError as error:
            self._fail(error)
            return
        self._size += len(group)
        if self._took is not None:
            self._took(seconds)
        if not self._retired:
            self._persisted(sequence)

    def _fail(self, error: OSError) -> None:
        self._broken = True
        if not self._retired:
            self._failed(error)

    def retire(self) -> None:
        """Write nothing more, and tell of nothing: the log is gone, and nobody waits for it."""
        self._broken = self._retired = True

    async def _compact(self, disk: ThreadPoolExecutor) -> None:
        """Begin to make the log small if it is time; end it if it was copied."""
        if self._broken:
            return
        loop = asyncio.get_running_loop()
        if self._copying is None:
            if self._size >= self._compact_at:
                begun = Compaction(self._path, self._size)
                copied = loop.run_in_executor(None, begun.begin)
                copied.add_done_callback(lambda _: self._wake.set())
                self._copying = begun, copied
            return
        begun, copied = self._copying
        if not copied.done():
            return
        self._copying = None
        before = self._size
        try:
            copied.result()
            await loop.run_in_executor(disk, self._replace, begun)
        except (OSError, QuorateError) as error:
            log.error("the vote log was not made smaller: %s", error)
            if isinstance(error, OSError) and not self._is_in_place():
                self._fail(error)
        else:
            log.info("the vote log has %d bytes instead of %d", self._size, before)
        self._compact_at = max(compaction.COMPACT_BYTES, 2 * self._size)

    def _replace(self, begun: Compaction) -> None:
        begun.finish()
        before, self._descriptor = self._descriptor, os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.close(before)
        self._size = os.fstat(self._descriptor).st_size

    def _is_in_place(self) -> bool:
        """Whether what is written to is still the log that would be found."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

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
