"""The kernel's limit on inotify instances: raised while clusters run, then put back.

The usual default of 128 for all processes of root is less than two clusters with some fifty pods
need; the symptom is "too many open files" in whatever comes last.
"""

from __future__ import annotations

from pathlib import Path

from tools.cluster.local.state import write_atomically

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_WANTED = 1024


def _record(base: Path) -> Path:
    return base / "inotify-before"


def raise_limit(base: Path, limit: Path = _LIMIT) -> None:
    """Raise the limit, and note in the folder of all clusters what it was."""
    before = int(limit.read_text())
    if before >= _WANTED:
        return
    if not _record(base).exists():
        write_atomically(_record(base), str(before))
    limit.write_text(str(_WANTED))


def restore_limit(base: Path, limit: Path = _LIMIT) -> None:
    """Put the limit back when the last cluster is gone, unless somebody else changed it."""
    record = _record(base)
    if not record.exists() or any(path.is_dir() for path in base.iterdir()):
        return
    if int(limit.read_text()) == _WANTED:
        limit.write_text(record.read_text())
    record.unlink()
