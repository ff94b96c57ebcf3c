"""How much this process takes on at once. Beyond it, requests are refused, never queued."""

import asyncio

from quorate import limits
from quorate_sidecar.refusal import Code, Refusal

REQUESTS_MAX = 256
"""Requests in flight. A model server that batches more is rare, and each costs memory here."""
BODY_BYTES_MAX = 16 * limits.MIB
"""Bytes of request bodies held at once; parsing needs a few times as much."""


class Capacity:
    """Counts what is in flight."""

    def __init__(self, requests: int = REQUESTS_MAX, body_bytes: int = BODY_BYTES_MAX) -> None:
        self._requests_max = requests
        self._bytes_max = body_bytes
        self.requests = 0
        self.body_bytes = 0
        self._left = asyncio.Event()

    def enter(self) -> None:
        """Begin a request. Raises Refusal if too many are in flight."""
        if self.requests >= self._requests_max:
            message = f"{self._requests_max} requests are in flight; try again shortly"
            raise Refusal(429, Code.BUSY, message, retry_after=1)
        self.requests += 1

    def leave(self) -> None:
        """End a request that began."""
        self.requests -= 1
        self._left.set()

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        while self.requests:
            self._left.clear()
            await self._left.wait()

    def reserve(self, size: int) -> None:
        """Set aside memory for a body. Raises Refusal if there is none."""
        if self.body_bytes + size > self._bytes_max:
            message = "too many request bodies are being read; try again shortly"
            raise Refusal(429, Code.BUSY, message, retry_after=1)
        self.body_bytes += size

    def release(self, size: int) -> None:
        """Give back what was set aside."""
        self.body_bytes -= size
