"""``make bench ROOM=remeasure``: what it costs to watch a model while it is served.

CPU seconds of this process, from a warm cache, so that other load on the machine changes little:
one look at models of 30 and 100,000 files, the share of a core that comes to with a look every two
seconds, what the watch takes of a core in fact, and what hashing by schedule keeps to.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from quorate.manifest import Manifest
from quorate.policy.runtime import Remeasure
from quorate_io.measuring import measure_directory
from quorate_io.scanning import scan_directory
from quorate_sidecar.measure.measuring import measure
from quorate_sidecar.measure.pace import Pace
from quorate_sidecar.measure.watch import HASH_SHARE, Certified, Findings, ModelWatch
from tests.bench.report import Figure, publish

FEW, MANY = 30, 100_000
LOOKS = 200
WATCHED_SECONDS = 20.0
HASHED_BYTES = 256 * 1024 * 1024


def look_seconds(folder: Path, looks: int) -> float:
    """CPU seconds of one look."""
    scan_directory(folder)
    before = time.process_time()
    for _ in range(looks):
        scan_directory(folder)
    return (time.process_time() - before) / looks


async def watched_share(folder: Path) -> float:
    """Percent of a core that a watch with the default settings takes."""
    measured = measure(folder, 1, None)

    async def known(digest: str) -> Manifest:
        return measured.manifest

    findings = Findings(lambda text: None, lambda text: None)
    settings = Remeasure()
    certified = Certified(measured.manifest.digest, None, known)
    watch = ModelWatch(folder, certified, measured.marks, lambda: settings, findings)
    before, started = time.process_time(), time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WATCHED_SECONDS):
            await watch.run()
    return 100 * (time.process_time() - before) / (time.monotonic() - started)


def hashed_share(folder: Path) -> float:
    """Percent of a core that hashing by schedule takes."""
    before, started = time.process_time(), time.monotonic()
    measure_directory(folder, workers=1, progress=Pace(HASH_SHARE))
    return 100 * (time.process_time() - before) / (time.monotonic() - started)


def main() -> int:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as scratch:
        few, many, big = (Path(scratch) / name for name in ("few", "many", "big"))
        for folder, count in ((few, FEW), (many, MANY)):
            for index in range(count):
                place = folder / f"{index // 1000:03}"
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{index:06}.bin").write_bytes(b"x")
        big.mkdir()
        (big / "model.safetensors").write_bytes(bytes(HASHED_BYTES))
        one, all_ = look_seconds(few, LOOKS), look_seconds(many, 2)
        publish(
            "remeasure",
            [
                Figure("one look, 30 files", one * 1e6, "CPU µs", "<=5000"),
                Figure("one look, 100,000 files", all_, "CPU s"),
                Figure("watching 30 files", asyncio.run(watched_share(few)), "% of a core", "<=1"),
                Figure("hashing by schedule", hashed_share(big), "% of a core", "<=15"),
            ],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
