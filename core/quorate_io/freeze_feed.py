"""What one member says is frozen, as it comes to say it: for members and sidecars.

The member keeps each question until there is something new, so what it hears is here at once.
Nothing that comes out of here is verified.
"""

from collections.abc import Awaitable, Callable

from quorate.consensus.freeze import SignedOrder
from quorate_io import member_api

Fetch = Callable[[tuple[tuple[str, str], ...]], Awaitable[bytes]]
"""Asks ``GET /v1/freezes`` with a query, and returns the body of a 200."""


class FreezeFeed:
    """Reads one member by cursor."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._cursor = ""

    async def next(self) -> tuple[SignedOrder, ...]:
        """The orders that are new, oldest first; none if there were none for a while.

        Raises InvalidInput for what is no answer, and what the fetching raises; the next call goes
        on where this one began.
        """
        query = ((member_api.CURSOR_PARAMETER, self._cursor),) if self._cursor else ()
        answer = member_api.read_freezes(await self._fetch(query))
        self._cursor = answer.cursor
        return answer.orders
