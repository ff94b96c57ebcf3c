"""``make bench ROOM=measure``: how fast a model is hashed, beside sha256sum and bare hashlib.

Big files, one of them alone, and many small ones, from a warm page cache, in one run. MB are 10^6
bytes. Memory is the peak of Python's allocations while a sparse file of 4 GiB is hashed in shards.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from quorate_io.measuring import measure_directory
from tests.bench.report import Figure, publish

BIG_BYTES = 512 * 1024 * 1024
SMALL_FILES, SMALL_BYTES = 5_000, 16 * 1024
SPARSE_BYTES, SHARD_BYTES = 4 * 1024 * 1024 * 1024, 64 * 1024 * 1024
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def hashlib_alone() -> float:
    """MB/s of one thread that hashes memory: no program can be faster on one core."""
    block = bytes(64 * 1024 * 1024)
    return len(block) / 1e6 / seconds(lambda: hashlib.sha256(block).digest())


def sparse_peak(folder: Path) -> float:
    """Peak MB allocated while a file much larger than memory should need is hashed."""
    with (folder / "sparse.safetensors").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    tracemalloc.start()
    measure_directory(folder, workers=2, progress=lambda _d, _t: None, shard_size=SHARD_BYTES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def main() -> int:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as scratch:
        big, small = Path(scratch) / "big", Path(scratch) / "small"
        one, sparse = Path(scratch) / "one", Path(scratch) / "sparse"
        for folder in (big, small, one, sparse):
            folder.mkdir()
        for part in range(4):
            (big / f"part-{part}.safetensors").write_bytes(bytes([part]) * (BIG_BYTES // 4))
        for index in range(SMALL_FILES):
            (small / f"{index:05}.bin").write_bytes(index.to_bytes(4, "big") * (SMALL_BYTES // 4))

        (one / "model.safetensors").write_bytes(bytes(BIG_BYTES))

        def measured(folder: Path, workers: int, shard: int | None = None) -> float:
            return seconds(
                lambda: measure_directory(
                    folder, workers=workers, progress=lambda _d, _t: None, shard_size=shard
                )
            )

        parts = sorted(str(path) for path in big.iterdir())
        peer = (
            BIG_BYTES
            / 1e6
            / seconds(
                lambda: subprocess.run(["sha256sum", *parts], check=True, capture_output=True)
            )
        )
        floor = hashlib_alone()
        publish(
            "measure",
            [
                Figure("one thread", BIG_BYTES / 1e6 / measured(big, 1), "MB/s", None, floor, peer),
                Figure(
                    "two threads", BIG_BYTES / 1e6 / measured(big, 2), "MB/s", None, floor, peer
                ),
                Figure("one file, two threads", BIG_BYTES / 1e6 / measured(one, 2), "MB/s"),
                Figure(
                    "one file in shards, two threads",
                    BIG_BYTES / 1e6 / measured(one, 2, SHARD_BYTES),
                    "MB/s",
                ),
                Figure("4 GiB in shards, peak memory", sparse_peak(sparse), "MB", "<=64"),
                Figure("files of 16 KiB", SMALL_FILES / measured(small, 2), "files/s"),
            ],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
