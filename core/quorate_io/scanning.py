"""Look at a model's directory without reading it: names, sizes, times, inodes.

Cheap enough for every second or two. It proves nothing by itself: who may set a file's times may
hide a change from it, so the bytes are hashed again now and then. File-system events are not used:
they do not cross mounts and network file systems.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quorate.errors import InvalidInput, LimitExceeded
from quorate_io.measuring import DEPTH_MAX, ENTRIES_MAX

Mark = tuple[int, int, int, int, int]
"""Kind, inode, size, time of modification and of change (ns). Not the device: the same volume may
have another one in another container."""
Marks = Mapping[str, Mark]
NAMED_MAX = 5
"""Files that a message names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two looks. Lines for people, one a file."""

    written: tuple[str, ...]
    """Names, sizes, times of modification, or the file itself: somebody wrote."""
    touched: tuple[str, ...]
    """Only the time of change: an owner, a mode, a link, or a write whose time was set back."""

    def text(self) -> str:
        """The first few lines, as one."""
        lines = self.written or self.touched
        more = len(lines) - NAMED_MAX
        return "; ".join([*lines[:NAMED_MAX], *([f"and {more} more"] if more > 0 else [])])


def scan_directory(root: Path) -> dict[str, Mark]:
    """Marks of everything under ``root`` but directories, by path. Follows no link.

    Raises InvalidInput if something cannot be looked at, LimitExceeded if there is too much.
    """
    found: dict[str, Mark] = {}
    folders = [("", 0)]
    entries = 0
    while folders:
        prefix, depth = folders.pop()
        if depth > DEPTH_MAX:
            raise LimitExceeded(f"deeper than {DEPTH_MAX} directories", field=prefix[:80])
        try:
            with os.scandir(root / prefix) as listed:
                for entry in listed:
                    entries += 1
                    if entries > ENTRIES_MAX:
                        raise LimitExceeded(f"more than {ENTRIES_MAX} files and directories")
                    name = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((f"{name}/", depth + 1))
                    else:
                        found[name] = _mark(entry.stat(follow_symlinks=False))
        except OSError as error:
            raise InvalidInput(
                f"cannot be looked at: {error.strerror}", field=prefix[:80] or "."
            ) from None
    return found


def _mark(status: os.stat_result) -> Mark:
    return (
        stat.S_IFMT(status.st_mode),
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def marks_digest(marks: Marks) -> str:
    """``sha256:…`` over all marks, to tell another container what was looked at."""
    digest = hashlib.sha256()
    for name in sorted(marks):
        digest.update(f"{name!r} {marks[name]}\n".encode("utf-8", "surrogatepass"))
    return f"sha256:{digest.hexdigest()}"


def compare(before: Marks, after: Marks) -> Difference | None:
    """How ``after`` differs from ``before``; None if it does not."""
    if before == after:
        return None
    written = [f"removed: {name}" for name in sorted(before.keys() - after.keys())]
    written += [f"added: {name}" for name in sorted(after.keys() - before.keys())]
    touched = []
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        if old[:4] != new[:4]:
            written.append(f"written: {name}")
        elif old != new:
            touched.append(f"owner, mode or time set: {name}")
    return Difference(tuple(written), tuple(touched))
