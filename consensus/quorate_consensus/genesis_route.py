"""What anybody may ask: the genesis, the epochs after it, and the authority of a member's TLS."""

import re
from typing import Final

import msgspec
from aiohttp import web

from quorate.errors import InvalidInput
from quorate_consensus.bodies import json_answer
from quorate_consensus.epochs import Epochs
from quorate_consensus.shedding import Lane
from quorate_io import member_api
from quorate_io.member_api import GenesisAnswer

LANE: Final = 64
"""Questions at once."""
_DIGITS = re.compile(r"[0-9]{1,16}\Z", re.ASCII).match


class GenesisRoute:
    """Answers ``GET /v1/genesis``. It proves itself: no token is asked for."""

    def __init__(self, epochs: Epochs, authority_pem: str) -> None:
        self._epochs = epochs
        self._authority_pem = authority_pem
        self._lane = Lane("public", LANE)
        self._last: tuple[tuple[bytes, int], bytes] | None = None
        """The last answer and what it is about: nearly everybody asks for the end of the chain."""

    async def get(self, request: web.Request) -> web.Response:
        """A page of the chain. Raises InvalidInput, TooManyRequests."""
        after = _number(request)
        with self._lane.enter():
            return json_answer(self._after(after))

    def _after(self, after: int) -> bytes:
        about = (self._epochs.head.digest, after)
        if self._last is None or self._last[0] != about:
            answer = GenesisAnswer(
                genesis=msgspec.to_builtins(self._epochs.genesis.record),
                chain=tuple(self._epochs.after(after)),
                ca_certificates=(self._authority_pem,),
            )
            self._last = about, member_api.encode(answer)
        return self._last[1]


def _number(request: web.Request) -> int:
    """After which epoch to go on; 0 unless it is said."""
    given = list(request.query.items())
    if not given:
        return 0
    if len(given) > 1 or given[0][0] != member_api.AFTER_PARAMETER or not _DIGITS(given[0][1]):
        raise InvalidInput(f"may be {member_api.AFTER_PARAMETER}, a number, once", field="query")
    return int(given[0][1])
