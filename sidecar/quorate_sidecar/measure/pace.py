"""Hashing again beside a model that serves: a bounded share of one core."""

import threading
import time

from quorate.errors import Unavailable


class Pace:
    """A progress callback that sleeps between chunks. ``share`` of one core, 0 < share <= 1."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._thread = 0
        self._busy_until = 0.0
        self.cpu_seconds = 0.0
        """What hashing has cost so far."""
        self.stopped = threading.Event()

    def __call__(self, done: int, total: int) -> None:
        """Called on the hashing thread after each chunk. Raises Unavailable once stopped."""
        if self.stopped.is_set():
            raise Unavailable("measuring was stopped")
        now = time.thread_time()
        if self._thread != threading.get_ident():
            self._thread, self._busy_until = threading.get_ident(), now
            return
        busy = now - self._busy_until
        self._busy_until = now
        self.cpu_seconds += busy
        if self._share < 1:
            self.stopped.wait(busy * (1 / self._share - 1))
