"""Measuring a model with progress that a person can follow in the log."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from quorate.errors import EvidenceError, QuorateError, SubjectMismatch
from quorate.limits import MIB
from quorate.manifest import Manifest, differences
from quorate_io.measuring import measure_directory
from quorate_io.scanning import Marks, compare, scan_directory

REPORT_SECONDS = 5.0
"""Between two lines about progress."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """Writes a line now and then. ``now`` is a monotonic clock, in seconds."""

    now: Callable[[], float] = time.monotonic
    _started: float = 0.0
    _said: float = 0.0

    def __post_init__(self) -> None:
        self._started = self._said = self.now()

    def __call__(self, done: int, total: int) -> None:
        """Take note of ``done`` of ``total`` bytes."""
        now = self.now()
        if now - self._said < REPORT_SECONDS and done < total:
            return
        self._said = now
        elapsed = max(now - self._started, 1e-6)
        share = 100 * done / total if total else 100.0
        rate = done / MIB / elapsed
        log.info(
            "measured %.1f of %.1f MiB (%.0f %%, %.0f MiB/s)", done / MIB, total / MIB, share, rate
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A model as it was measured: what it is, what its directory looked like, how long it took."""

    manifest: Manifest
    marks: Marks
    seconds: float


def measure(root: Path, workers: int, shard_size: int | None) -> Measured:
    """Measure ``root``, hashed as the certified one is.

    Raises QuorateError, also if it changed meanwhile.
    """
    progress = Progress()
    started = time.monotonic()
    marks = scan_directory(root)
    manifest = measure_directory(root, workers=workers, progress=progress, shard_size=shard_size)
    difference = compare(marks, scan_directory(root))
    if difference is not None:
        raise EvidenceError(f"the model changed while it was measured: {difference.text()}")
    return Measured(manifest, marks, time.monotonic() - started)


async def check_manifest(
    measured: Manifest, certified: str, known: Callable[[str], Awaitable[Manifest]]
) -> None:
    """Raise SubjectMismatch unless ``measured`` is the certified one; name what differs if the
    certified manifest can be had from ``known``."""
    if measured.digest == certified:
        return
    message = f"the mounted model is {measured.digest}, certified is {certified}"
    try:
        lines = differences(await known(certified), measured)
    except QuorateError as error:
        log.warning("the certified manifest is not known, so no file can be named: %s", error)
    else:
        message += "; " + "; ".join(lines)
    raise SubjectMismatch(message, fix="mount the signed model, or sign and gate this one")
