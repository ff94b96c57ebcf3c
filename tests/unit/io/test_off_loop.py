"""Parsing away from the event loop."""

import asyncio
import threading
import time

import pytest

from quorate_io.registry.off_loop import LARGE_BYTES, SMALL_BYTES, OffLoop


class Counted:
    """Counts how many of it run at once, and the most that ever did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.most = 0

    def work(self) -> None:
        """Take a moment."""
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        time.sleep(0.02)
        with self._lock:
            self._running -= 1


@pytest.mark.requirement("2 GB of hostile evidence changes nothing")
async def test_large_documents_are_parsed_one_at_a_time() -> None:
    """Also if whoever waits for one gives up: memory is that of one document."""
    off_loop, counted = OffLoop(), Counted()
    tasks = [asyncio.create_task(off_loop.run(LARGE_BYTES + 1, counted.work)) for _ in range(10)]
    await asyncio.sleep(0.01)
    for task in tasks[:5]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert counted.most == 1
    off_loop.close()


async def test_small_documents_do_not_wait_for_large_ones() -> None:
    """However many of those there are, the others go on meanwhile."""
    off_loop, held = OffLoop(), threading.Event()
    large = [asyncio.create_task(off_loop.run(LARGE_BYTES + 1, held.wait)) for _ in range(5)]
    await asyncio.sleep(0)
    assert await off_loop.run(SMALL_BYTES, lambda: 1) == 1
    assert await off_loop.run(LARGE_BYTES, lambda: 2) == 2
    assert not any(task.done() for task in large)
    held.set()
    assert all(await asyncio.gather(*large))
    off_loop.close()


async def test_errors_come_back() -> None:
    """From wherever it ran."""
    off_loop = OffLoop()
    for size in (0, SMALL_BYTES + 1, LARGE_BYTES + 1):
        with pytest.raises(ZeroDivisionError):
            await off_loop.run(size, lambda: 1 // 0)
    off_loop.close()
