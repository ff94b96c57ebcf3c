"""Which process a recorded pid meant: a recycled pid must never be signalled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE_FIELD = 0
_START_TIME_FIELD = 19


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid with its start time in clock ticks since the boot it belongs to."""

    pid: int
    start_ticks: int
    boot_id: str


def boot_id(proc: Path = _PROC) -> str:
    """The kernel's identifier of the running boot."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int, proc: Path = _PROC) -> ProcessIdentity | None:
    """The identity of a live process, or None when there is none (a zombie counts as none)."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and parentheses; the last ')' ends it.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in ("Z", "X"):
        return None
    return ProcessIdentity(pid, int(fields[_START_TIME_FIELD]), boot_id(proc))


def alive(identity: ProcessIdentity, proc: Path = _PROC) -> bool:
    """Whether exactly the process that was recorded still runs."""
    return identify(identity.pid, proc) == identity
