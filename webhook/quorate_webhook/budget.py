"""How many bytes of request bodies may be in memory at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Budget:
    """Bytes that are handed out while there are any; who asks for more waits."""

    def __init__(self, total: int) -> None:
        self._free = self._total = total
        self._changed = asyncio.Condition()
        self._waiting = 0

    @property
    def used(self) -> int:
        """Bytes handed out now."""
        return self._total - self._free

    @contextlib.asynccontextmanager
    async def taking(self, amount: int) -> AsyncIterator[None]:
        """Hold ``amount`` bytes (at most all there are) while the block runs."""
        amount = min(amount, self._total)
        if self._free < amount:
            await self._wait(amount)
        self._free -= amount
        try:
            yield
        finally:
            self._free += amount
            if self._waiting:
                async with self._changed:
                    self._changed.notify_all()

    async def _wait(self, amount: int) -> None:
        self._waiting += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._free >= amount)
        finally:
            self._waiting -= 1
