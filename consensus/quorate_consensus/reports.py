"""What protected pods report of themselves, kept until the operator has read it and they are gone.

Each pod has one last word on each rule, so that the memory is bounded however often it speaks. The
operator reads by cursor: every change gets the next revision, and a pod whose reports changed twice
between two readings is read once. Nothing here is trusted, signed or acted on.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from quorate.alerts import Rule
from quorate_consensus import cursor as cursors
from quorate_consensus.judging import Overloaded
from quorate_io.member_api import (
    REPORTS_PAGE,
    ObservedPod,
    PodReports,
    Report,
    ReportsAnswer,
)

PODS_MAX = 8192
"""Pods with reports. More are refused, and say it again later."""
CURSOR_CHARS = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    revision: int
    pod: PodReports


class Reports:
    """The room of reports. Not thread-safe: to be used on the event loop."""

    def __init__(self, pods_max: int = PODS_MAX) -> None:
        self._pods_max = pods_max
        # Another one after each start: what a member forgot, nobody may believe was read.
        self._epoch = secrets.token_hex(8)
        self._revision = 0
        self._entries: dict[str, _Entry] = {}
        """By UID, the pod that changed last at the end."""
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, pod: ObservedPod, reports: Sequence[Report], now: datetime) -> int:
        """Take a pod's word on what holds now; returns how many rules do.

        Raises Overloaded if there is no room for one more pod.
        """
        known = self._entries.get(pod.uid)
        before = known.pod.reports if known else ()
        merged = _merged(before, reports, now)
        if merged != before:
            if known is None and len(self._entries) >= self._pods_max:
                raise Overloaded(f"{self._pods_max} pods report already", fix="report again later")
            self._entries.pop(pod.uid, None)
            self._revision += 1
            entry = PodReports(uid=pod.uid, namespace=pod.namespace, name=pod.name, reports=merged)
            self._entries[pod.uid] = _Entry(self._revision, entry)
            self._changed.set()
        return sum(report.until is None for report in merged)

    def keep_only(self, uids: Container[str]) -> None:
        """Forget the reports of pods that are gone."""
        for uid in [uid for uid in self._entries if uid not in uids]:
            del self._entries[uid]

    def after(self, cursor: str) -> ReportsAnswer:
        """The oldest changes after ``cursor``; all there is if the cursor is not of this room."""
        seen = cursors.place_of(cursor, self._epoch, self._revision)
        since = seen or 0
        entries = [entry for entry in self._entries.values() if entry.revision > since]
        page = entries[:REPORTS_PAGE]
        more = len(entries) > len(page)
        upto = page[-1].revision if more else self._revision
        return ReportsAnswer(
            cursor=cursors.text_of(self._epoch, upto),
            whole=seen is None,
            more=more,
            pods=tuple(entry.pod for entry in page),
        )

    async def changed_after(self, cursor: str, seconds: float) -> None:
        """Return when there is something after ``cursor``, or ``seconds`` later."""
        if cursors.place_of(cursor, self._epoch, self._revision) != self._revision:
            return
        self._changed.clear()
        try:
            async with asyncio.timeout(0 if self._closed else seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        self._changed.set()

    def counts(self) -> Counter[Rule]:
        """How many pods each rule holds for now."""
        return Counter(
            report.rule
            for entry in self._entries.values()
            for report in entry.pod.reports
            if report.until is None
        )


def _merged(
    before: Sequence[Report], now_said: Sequence[Report], now: datetime
) -> tuple[Report, ...]:
    """The last word on each rule. What is not said to hold any more has ended."""
    words = {
        old.rule: old if old.until else msgspec.structs.replace(old, until=now) for old in before
    }
    words |= {new.rule: new for new in now_said}
    return tuple(words[rule] for rule in Rule if rule in words)
