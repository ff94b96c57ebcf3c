"""Asks several members at once and takes their answers as they come.

Who asked goes on as soon as it knows enough: the rest may end, for a while, without being waited
for, so that a slow member delays nobody and keeps its connection.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from quorate.errors import QuorateError

LATE_SECONDS: Final = 2.0
"""How long an answer may still come after nobody waits for it."""
LATE_MAX: Final = 64
"""Answers nobody waits for; more are given up at once. Each holds its question in memory."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Stragglers:
    """Requests that are under way and that nobody waits for. For one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def leave(self, task: asyncio.Task[Any]) -> None:
        """Let it end, within the bounds."""
        if len(self._tasks) >= LATE_MAX:
            task.cancel()
            return
        self._tasks.add(task)
        ending = asyncio.get_running_loop().call_later(LATE_SECONDS, task.cancel)
        task.add_done_callback(lambda _: ending.cancel())
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up all of them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Poll(Generic[T]):
    """One question to several members, as an asynchronous context manager."""

    def __init__(self, calls: Mapping[str, Coroutine[Any, Any, T]], late: Stragglers) -> None:
        self._calls = calls
        self._late = late
        self._waiting: set[asyncio.Task[T]] = set()
        self._ended: asyncio.Queue[tuple[str, asyncio.Task[T]]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for name, call in self._calls.items():
            task = asyncio.ensure_future(call)
            self._waiting.add(task)
            task.add_done_callback(partial(self._end, name))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._waiting:
            if error is None or isinstance(error, QuorateError):
                self._late.leave(task)
            else:
                task.cancel()

    @property
    def waiting(self) -> int:
        """How many have not answered yet, or were not looked at."""
        return len(self._waiting) + self._ended.qsize()

    async def next(self, seconds: float | None = None) -> tuple[str, T | QuorateError] | None:
        """The next member's answer, or the QuorateError that it came to; any other is raised.

        None if all have answered, or none does within ``seconds``.
        """
        if not self.waiting:
            return None
        try:
            async with asyncio.timeout(seconds):
                name, task = await self._ended.get()
        except TimeoutError:
            return None
        error = task.exception()
        if error is None:
            return name, task.result()
        if isinstance(error, QuorateError):
            return name, error
        raise error

    def _end(self, name: str, task: asyncio.Task[T]) -> None:
        self._waiting.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, QuorateError):
            # Said here because nobody may be waiting for it any more.
            log.error("asking %s failed", name, exc_info=error)
        self._ended.put_nowait((name, task))
