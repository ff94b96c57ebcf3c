"""What a process has used, from the kernel's accounting."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all threads, as the scheduler counts it (in nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process now (VmRSS) or at most so far (VmHWM), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise AssertionError(what)


def per_call(count: int, function: Callable[[], Any]) -> float:
    """CPU microseconds of one call in this process, on average of so many."""
    begin = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - begin) / count * 1e6
