"""The routes by which a member comes back: asks in shadow, and what speaks for it."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from aiohttp import web

from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.errors import InvalidInput
from quorate.shadow import SHADOW_BYTES
from quorate_consensus.bodies import json_answer, read_body
from quorate_consensus.clean_runs import CleanRuns
from quorate_consensus.failures import SERVER
from quorate_consensus.shadow_asks import ShadowAsks
from quorate_consensus.shedding import PodRate, Share
from quorate_io import member_api

SHADOW_LANE, SHADOW_EACH, ADDRESS_SHADOW = 16, 2, 100
"""Asks in shadow at once, of these of one address, and from one in shedding.WINDOW_SECONDS."""
READING_LANE, READING_EACH, ADDRESS_READINGS = 2, 1, 10
"""Questions for a run, each up to quarantine.EVIDENCE_BYTES: at once, of one address, and from one
address in shedding.WINDOW_SECONDS."""
RUN_LANE, RUN_EACH, POD_RUNS = 2, 1, 3
"""Runs at once, of one pod, and of one pod in shedding.WINDOW_SECONDS. Each is recomputed."""
BODY_SECONDS, COUNT_SECONDS = 4.5, 20.5

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)
PodOf = Callable[[web.Request], str]
"""UID of the protected pod that a request's token is bound to. Raises QuorateError."""


class ShadowRoutes:
    """The routes. ``pod`` tells who shows a run."""

    def __init__(
        self, asks: ShadowAsks, runs: CleanRuns, pod: PodOf, monotonic: Callable[[], float]
    ) -> None:
        self._asks = asks
        self._runs = runs
        self._pod = pod
        self._asking = Share("ask in shadow", SHADOW_LANE, SHADOW_EACH)
        self._asked = PodRate(monotonic, ADDRESS_SHADOW)
        self._showing = Share("clean run", RUN_LANE, RUN_EACH)
        self._shown = PodRate(monotonic, POD_RUNS)
        self._reading = Share("reading of a clean run", READING_LANE, READING_EACH)
        self._read = PodRate(monotonic, ADDRESS_READINGS)

    def add_to(self, app: web.Application) -> None:
        """Serve them."""
        app.router.add_post(member_api.SHADOW_PATH, self._post_ask)
        app.router.add_post(member_api.CLEAN_RUNS_PATH, self._post_run)
        app.router.add_get(member_api.CLEAN_RUNS_PATH, self._get_run, allow_head=False)

    async def _post_ask(self, request: web.Request) -> web.Response:
        """Without a token: none must be shown here."""
        address = request.remote or ""
        self._asked.check(address)

        async def read() -> bytes:
            return await read_body(request, SHADOW_BYTES, member_api.ASKS_TYPE)

        with self._asking.enter(address):
            answer = await self._asks.answer(read)
        return web.Response(body=answer, content_type=member_api.ASKS_TYPE, headers=SERVER)

    async def _post_run(self, request: web.Request) -> web.Response:
        """From protected pods only, so that not everybody has members compute."""
        uid = self._pod(request)
        self._shown.check(uid)
        with self._showing.enter(uid):
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(request, EVIDENCE_BYTES, member_api.EVIDENCE_TYPE)
            async with asyncio.timeout(COUNT_SECONDS):
                return json_answer(member_api.encode(await self._runs.show(body)))

    async def _get_run(self, request: web.Request) -> web.Response:
        """For anybody: it proves itself, and holds what was asked already."""
        address = request.remote or ""
        self._read.check(address)
        with self._reading.enter(address):
            run = self._runs.longest(_member(request))
            return json_answer(member_api.encode(member_api.CleanRunAnswer(run=run)))


def _member(request: web.Request) -> str:
    given = list(request.query.items())
    if (
        len(given) != 1
        or given[0][0] != member_api.MEMBER_PARAMETER
        or not _NAME.match(given[0][1])
    ):
        raise InvalidInput(f"must be {member_api.MEMBER_PARAMETER}, once", field="query")
    return given[0][1]
