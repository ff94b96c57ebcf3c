"""Runs generations on a few threads, a bounded number at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from demo_server.model import Model, Sampling

# An answer is sent in words, at most this many characters long, as larger models send theirs.
PIECE_CHARS_MAX = 16


class Busy(Exception):
    """As many generations are running or waiting as the server accepts."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer; `finish_reason` is set on the last one only."""

    text: str
    tokens: int
    finish_reason: str | None = None


class Engine:
    """Turns prompts into streams of pieces."""

    def __init__(self, model: Model, *, threads: int, running_max: int) -> None:
        self.model = model
        self.running = 0
        self.tokens_total = 0
        self._running_max = running_max
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="generate")

    async def stream(
        self, prompt: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Yields the answer as it is written; closing the generator stops the work.

        Raises Busy instead of waiting behind more than the allowed number of others.
        """
        if self.running >= self._running_max:
            raise Busy
        self.running += 1
        loop = asyncio.get_running_loop()
        # Bounded by the length of an answer, so the thread need not wait for a slow client.
        queue: asyncio.Queue[Piece | None] = asyncio.Queue()
        cancelled = threading.Event()

        def work() -> None:
            try:
                for piece in pieces(self.model, prompt, sampling, cancelled):
                    loop.call_soon_threadsafe(queue.put_nowait, piece)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        working = loop.run_in_executor(self._pool, work)
        try:
            while (piece := await queue.get()) is not None:
                self.tokens_total += piece.tokens
                yield piece
            await working
        finally:
            cancelled.set()
            working.cancel()
            self.running -= 1

    def close(self) -> None:
        """Waits for the running threads; call it after the last stream has been closed."""
        self._pool.shutdown(cancel_futures=True)


def pieces(
    model: Model, prompt: Sequence[int], sampling: Sampling, cancelled: threading.Event
) -> Iterator[Piece]:
    """Yields an answer in words; stops early, without a last piece, once cancelled."""
    word: list[int] = []
    for number in model.generate(prompt, sampling):
        if cancelled.is_set():
            return
        word.append(number)
        if number == model.tokenizer.stop:
            yield Piece(model.tokenizer.spell(word), len(word), finish_reason="stop")
            return
        if model.tokenizer.spell([number]).isspace() or len(word) == PIECE_CHARS_MAX:
            yield Piece(model.tokenizer.spell(word), len(word))
            word = []
    yield Piece(model.tokenizer.spell(word), len(word), finish_reason="length")
