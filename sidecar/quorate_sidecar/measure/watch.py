"""The model while it is served: looked at every few seconds, hashed again on a schedule.

A difference acts before it is explained: the pod is unready and denies. What was written is final,
since the server may have loaded it; what only changed owner, mode or times is hashed again, and
the pod serves on if the bytes are the certified ones.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from quorate.errors import QuorateError, SubjectMismatch
from quorate.manifest import Manifest
from quorate.policy.runtime import Remeasure
from quorate_io.measuring import measure_directory
from quorate_io.scanning import Difference, Marks, compare, scan_directory
from quorate_sidecar.measure.measuring import check_manifest
from quorate_sidecar.measure.pace import Pace

SCAN_SHARE = 0.02
"""Of one core, for looking: a directory of 100,000 files is looked at less often."""
HASH_SHARE = 0.10
"""Of one core, for hashing by schedule."""
SCAN_DEADLINE = 30.0
"""Seconds after which a file system that does not answer counts as not seen."""
RETRY_SECONDS = 30.0
"""Until hashing that failed, for another reason than the bytes, is tried again."""
JITTER = 0.2
"""Share of a period by which the pods of one volume drift apart."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Certified:
    """What the model must be: its digest, how it is hashed, and who knows its files."""

    digest: str
    shard_size: int | None
    known: Callable[[str], Awaitable[Manifest]]


@dataclass(slots=True)
class Findings:
    """Where the watch writes what it finds: the standing and the reporter read it."""

    changed: Callable[[str], None]
    """The model is not what was measured. Final."""
    unsure: Callable[[str], None]
    """Why it is not known now; empty once it is."""


class ModelWatch:
    """Watches one model from the moment it was measured."""

    def __init__(
        self,
        root: Path,
        certified: Certified,
        baseline: Marks,
        settings: Callable[[], Remeasure],
        findings: Findings,
    ) -> None:
        self._root = root
        self._certified = certified
        self._baseline = baseline
        self._settings = settings
        self._findings = findings
        self._doubts: dict[str, str] = {}
        self._scan_cpu = 0.0
        self.hashed_at = time.time()
        """Unix time at which the bytes were last the certified ones."""
        self.cpu_seconds = 0.0
        """What looking and hashing have cost so far."""

    async def run(self) -> None:
        """Watch until something was written; then there is nothing left to find out."""
        hashing: asyncio.Future[str] | None = None
        pace = Pace(HASH_SHARE)
        due = self._due(self._settings().rehash_seconds)
        try:
            while True:
                if await self._look():
                    return
                if hashing is None and time.monotonic() >= due:
                    pace = Pace(HASH_SHARE)
                    hashing = asyncio.ensure_future(self._hash(pace))
                if hashing is not None and hashing.done():
                    fault, hashing = hashing.result(), None
                    self._doubt("hash", fault)
                    period = RETRY_SECONDS if fault else self._settings().rehash_seconds
                    due = self._due(period)
                await asyncio.sleep(self._pause())
        except SubjectMismatch as mismatch:
            self._findings.changed(mismatch.message)
        finally:
            pace.stopped.set()
            if hashing is not None:
                hashing.cancel()

    async def _look(self) -> bool:
        """Look once. True if something was written."""
        try:
            marks = await self._scan()
        except QuorateError as error:
            self._doubt("scan", f"the model cannot be looked at: {error}")
            return False
        found = compare(self._baseline, marks)
        if found is None:
            self._doubt("scan", "")
            return False
        if found.written:
            self._findings.changed(f"the model was changed while it was served: {found.text()}")
            return True
        await self._settle(found, marks)
        return False

    async def _scan(self) -> Marks:
        """Look at the directory on a thread. Says so if that takes too long, and waits on."""
        looking = asyncio.ensure_future(asyncio.to_thread(self._scan_now))
        done, _ = await asyncio.wait({looking}, timeout=SCAN_DEADLINE)
        if not done:
            waited = f"{SCAN_DEADLINE:.0f} seconds"
            self._doubt("scan", f"the model's volume has not answered for {waited}")
        marks, self._scan_cpu = await looking
        self.cpu_seconds += self._scan_cpu
        return marks

    def _scan_now(self) -> tuple[Marks, float]:
        before = time.thread_time()
        return scan_directory(self._root), time.thread_time() - before

    async def _settle(self, found: Difference, marks: Marks) -> None:
        """Hash what may have been changed, at full speed: the pod denies until this is done."""
        self._doubt("scan", f"{found.text()}; the model is measured again")
        log.warning("measuring again: %s", found.text())
        fault = await self._hash(Pace(1.0))
        if not fault and compare(marks, await self._scan()) is None:
            self._baseline = marks
            log.info("the bytes are the certified ones")
            self._doubt("scan", "")

    async def _hash(self, pace: Pace) -> str:
        """Hash everything. Why that could not be done; raises SubjectMismatch for other bytes."""
        certified = self._certified
        work = partial(
            measure_directory,
            self._root,
            workers=1,
            progress=pace,
            shard_size=certified.shard_size,
        )
        try:
            measured = await asyncio.to_thread(work)
        except QuorateError as error:
            return f"the model cannot be measured again: {error}"
        finally:
            self.cpu_seconds += pace.cpu_seconds
        await check_manifest(measured, certified.digest, certified.known)
        self.hashed_at = time.time()
        return ""

    def _pause(self) -> float:
        return max(_jittered(self._settings().scan_seconds), self._scan_cpu / SCAN_SHARE)

    def _doubt(self, about: str, why: str) -> None:
        """Looking and hashing may each have a reason for not knowing."""
        if self._doubts.get(about, "") != why:
            self._doubts[about] = why
            self._findings.unsure("; ".join(filter(None, self._doubts.values())))

    def _due(self, seconds: float) -> float:
        return time.monotonic() + _jittered(seconds)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
