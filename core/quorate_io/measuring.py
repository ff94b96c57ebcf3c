"""Hash every file of a model's directory, strictly.

What cannot be hashed in one way only is refused: links, devices, pipes, sockets, and names that two
systems read differently. Directories are opened part by part without following links, so nothing
outside the directory can be reached, and what changes while it is measured is reported.
"""

import hashlib
import itertools
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from quorate import limits
from quorate.errors import EvidenceError, InvalidInput, LimitExceeded
from quorate.manifest import (
    Manifest,
    check_name,
    check_shard_size,
    manifest,
    shard_name,
)

CHUNK_BYTES = 1 * limits.MIB
"""Bytes read at once by each worker."""
DEPTH_MAX = 64
"""Directories inside each other; each open one holds a file descriptor."""
ENTRIES_MAX = 2 * limits.BUNDLE_FILES
"""Files and directories together, so that a flood of empty directories ends too."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that took a file's place must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, never from two threads at once."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """What must be the same before and after: another file or a write changes one of these."""

    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "_Identity":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def measure_directory(
    root: Path, *, workers: int, progress: Progress, shard_size: int | None = None
) -> Manifest:
    """The manifest of every file under ``root``, hashed by ``workers`` threads.

    With ``shard_size`` (bytes) files are hashed in shards, so that one large file keeps all workers
    busy. Memory grows with the number of files, never with their size.

    Raises InvalidInput if ``root`` is not a directory that can be read whole, holds anything but
    directories and regular files, or a name a manifest refuses; LimitExceeded if it is too deep or
    holds too much; EvidenceError if it changes meanwhile.
    """
    if workers < 1:
        raise InvalidInput("must be at least 1", field="workers")
    if shard_size is not None:
        check_shard_size(shard_size)
    with _readable(str(root)):
        opened = os.open(root, _DIRECTORY)
    with _opened(opened) as root_fd:
        listed = dict(_walk(root_fd))
        # Bad and colliding names are known before the first byte is hashed.
        manifest((name, "0" * 64) for name in listed)
        digests = _Hashing(root_fd, listed, progress, shard_size).run(workers)
        if dict(_walk(root_fd)) != listed:
            raise EvidenceError("files were added, removed or changed while it was measured")
    return manifest(digests.items(), shard_size)


def _walk(root_fd: int) -> Iterator[tuple[str, _Identity]]:
    """Every file with its identity. Recursion is bounded by DEPTH_MAX."""
    entries = 0

    def visit(fd: int, prefix: str, depth: int) -> Iterator[tuple[str, _Identity]]:
        nonlocal entries
        if depth > DEPTH_MAX:
            raise LimitExceeded(f"deeper than {DEPTH_MAX} directories", field=prefix[:80])
        with _readable(prefix or "."), os.scandir(fd) as found:
            names = [entry.name for entry in itertools.islice(found, ENTRIES_MAX - entries + 1)]
        entries += len(names)
        if entries > ENTRIES_MAX:
            raise LimitExceeded(f"more than {ENTRIES_MAX} files and directories")
        for name in sorted(names):
            path = check_name(prefix + name)
            with _readable(path):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    _check_regular(status, path)
                    yield path, _Identity.of(status)
                    continue
                with _opened(os.open(name, _DIRECTORY, dir_fd=fd)) as inner:
                    yield from visit(inner, f"{path}/", depth + 1)

    return visit(root_fd, "", 0)


class _Part(NamedTuple):
    """Bytes of a file that are hashed together: all of them, or a shard."""

    file: str
    start: int
    end: int
    name: str
    """What the manifest calls them."""


def _parts(listed: dict[str, _Identity], shard_size: int | None) -> Iterator[_Part]:
    """Every part, of the largest files first so that no worker ends with a big one alone."""
    for name in sorted(listed, key=lambda name: -listed[name].size):
        size = listed[name].size
        if shard_size is None:
            yield _Part(name, 0, size, name)
            continue
        # An empty file has one shard without a byte, so that it is listed at all.
        for start in range(0, max(size, 1), shard_size):
            end = min(start + shard_size, size)
            yield _Part(name, start, end, shard_name(name, start, end))


class _Hashing:
    """One run over all files; workers share what is left, the count of bytes and a sign to stop."""

    def __init__(
        self,
        root_fd: int,
        listed: dict[str, _Identity],
        progress: Progress,
        shard_size: int | None,
    ) -> None:
        self._root_fd = root_fd
        self._listed = listed
        self._progress = progress
        self._left = _parts(listed, shard_size)
        self._digests: dict[str, str] = {}
        self._total = sum(identity.size for identity in listed.values())
        self._done = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def run(self, workers: int) -> dict[str, str]:
        """Hash every part; the first failure ends all workers."""
        self._advance(0)
        with ThreadPoolExecutor(workers, thread_name_prefix="measure") as pool:
            running = [pool.submit(self._work) for _ in range(workers)]
            try:
                for done in as_completed(running):
                    done.result()
            finally:
                self._stopped.set()
        return self._digests

    def _work(self) -> None:
        # One task a worker, not one a file: a hundred thousand waiting tasks would cost more
        # memory than everything else here.
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while not self._stopped.is_set():
            with self._lock:
                part = next(self._left, None)
            if part is None:
                return
            digest = self._hash(part, buffer)
            with self._lock:
                self._digests[part.name] = digest

    def _hash(self, part: _Part, buffer: memoryview) -> str:
        name, expected = part.file, self._listed[part.file]
        with _readable(name), _opened(_open_beneath(self._root_fd, name)) as fd:
            before = os.fstat(fd)
            _check_regular(before, name)
            digest, size = self._read(fd, part, buffer)
            if not _Identity.of(before) == _Identity.of(os.fstat(fd)) == expected:
                raise EvidenceError("changed while it was measured", field=name)
            if size != part.end - part.start and not self._stopped.is_set():
                total = part.start + size
                raise EvidenceError(f"has {total} bytes, not {expected.size}", field=name)
        return digest

    def _read(self, fd: int, part: _Part, buffer: memoryview) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        os.lseek(fd, part.start, os.SEEK_SET)
        # One byte more than the file has, so that growth shows; a shard ends where the next begins.
        last = part.end == self._listed[part.file].size
        most = part.end - part.start + last
        # A file that grows as fast as it is read would never end.
        while size < most and not self._stopped.is_set():
            count = os.readv(fd, [buffer[: most - size]])
            if count == 0:
                break
            digest.update(buffer[:count])
            size += count
            self._advance(count)
        return digest.hexdigest(), size

    def _advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress(self._done, self._total)


def _open_beneath(root_fd: int, name: str) -> int:
    """Open a file part by part, so that no directory on the way can be a link."""
    *directories, last = name.split("/")
    fd = os.dup(root_fd)
    try:
        for part in directories:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        return os.open(last, _FILE, dir_fd=fd)
    finally:
        os.close(fd)


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise InvalidInput(
            "is a symbolic link", field=name, fix="replace it with the file it stands for"
        )
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput("is not a regular file", field=name, fix="remove it")


@contextmanager
def _opened(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Whatever the file system refuses is a refusal with the file's name."""
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=name) from None
