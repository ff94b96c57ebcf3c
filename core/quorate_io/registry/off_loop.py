"""Parsing of what strangers wrote, away from the event loop, and large documents one at a time.

A JSON document takes up to thirty times its bytes while it is parsed, and half a second a megabyte.
Small ones never wait for large ones.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from quorate.limits import KIB

SMALL_BYTES: Final = 8 * KIB
"""Parsed at once: a thread would take longer."""
LARGE_BYTES: Final = 128 * KIB

T = TypeVar("T")


class OffLoop:
    """Runs functions of bytes. For one event loop."""

    def __init__(self) -> None:
        # One thread: a caller that gives up leaves the queue, or its turn ends before the next.
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large-document")

    async def run(self, size: int, function: Callable[[], T]) -> T:
        """What ``function`` returns or raises; ``size`` are the bytes that it reads."""
        if size <= SMALL_BYTES:
            return function()
        pool = self._large if size > LARGE_BYTES else None
        return await asyncio.get_running_loop().run_in_executor(pool, function)

    def close(self) -> None:
        """Take nothing more in."""
        self._large.shutdown(wait=False, cancel_futures=True)
