"""Tells a member what is wrong in this pod, until it is heard. Decides nothing.

What denies or makes unready does so by itself, before and whether or not anybody hears of it. Each
rule has one last word, so that memory and requests are bounded however often things change.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Protocol

import msgspec

from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io.member_api import REPORT_CHARS, Report

SPACING = 1.0
"""Seconds between two reports at least: a listener that comes and goes floods nobody."""
RESEND_SECONDS = 30.0
"""While something holds it is said again: a member that restarts has forgotten."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Waits after the first, second … failure in a row; the last for any further one."""
JITTER = 0.2

log = logging.getLogger(__name__)


class ReportSink(Protocol):
    """Where reports go: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def report(self, reports: Sequence[Report]) -> int:
        """Say all that holds. Raises QuorateError if it was not heard."""


class Reporter:
    """What holds now, and what has ended and was not heard yet."""

    def __init__(self, sink: ReportSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._words: dict[Rule, Report] = {}
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self.failures = 0
        """Reports that were not heard, in a row."""

    def note(self, rule: Rule, message: str) -> None:
        """The rule holds, for the reason given; or, without one, it does not. Never waits."""
        known = self._words.get(rule)
        if known is not None and known.until is None:
            if message:
                return
            self._words[rule] = msgspec.structs.replace(known, until=self._clock.now())
        elif message:
            self._words[rule] = Report(
                rule=rule, message=printable(message), since=self._clock.now()
            )
        else:
            return
        self._news.set()

    async def run(self) -> None:
        """Report at once at the start, on every change, and now and then while something holds.

        The first report ends what another container of this pod said before.
        """
        while True:
            heard = await self.send()
            await asyncio.sleep(SPACING)
            await self._news_within(self._wait(heard=heard))

    async def deliver(self, seconds: float) -> None:
        """Report until it is heard, for ``seconds`` at most: for a container that is ending."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.send():  # noqa: ASYNC110 - tries, and does not wait for news
                    await asyncio.sleep(SPACING)
        except TimeoutError:
            log.warning("no member heard the report within %.0f seconds", seconds)

    async def send(self) -> bool:
        """Report once; whether it was heard. Nothing that goes wrong with it goes any further."""
        # One after the other: an older word must not arrive after a newer one.
        async with self._sending:
            self._news.clear()
            said = tuple(self._words.values())
            try:
                await self._sink.report(said)
            except QuorateError as error:
                self._failed(str(error))
                return False
            except Exception:  # the pod serves or denies all the same
                log.exception("a report failed")
                self._failed("see above")
                return False
            self.failures = 0
            for word in said:
                if word.until is not None and self._words.get(word.rule) is word:
                    del self._words[word.rule]
            return True

    def _failed(self, why: str) -> None:
        if not self.failures:
            log.warning("a report was not heard, it is sent again: %s", why)
        self.failures += 1

    def _wait(self, *, heard: bool) -> float | None:
        if heard:
            period = RESEND_SECONDS if self._words else None
        else:
            period = RETRY_SECONDS[min(self.failures, len(RETRY_SECONDS)) - 1]
        return period and period * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret

    async def _news_within(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return


def printable(text: str) -> str:
    """``text`` as a report may carry it: bounded, and without what a terminal would obey."""
    kept = "".join(char if char.isprintable() else "?" for char in text[: REPORT_CHARS + 1])
    return kept if len(kept) <= REPORT_CHARS else f"{kept[: REPORT_CHARS - 1]}…"
