"""The model while it is served: every change of real files is seen, and acted on."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from quorate.errors import InvalidInput, LimitExceeded, Unavailable
from quorate.manifest import Manifest
from quorate.policy.runtime import Remeasure
from quorate_io import scanning
from quorate_io.scanning import compare, marks_digest, scan_directory
from quorate_sidecar.measure import watch
from quorate_sidecar.measure.measuring import measure
from quorate_sidecar.measure.pace import Pace
from quorate_sidecar.measure.watch import Certified, Findings, ModelWatch


class Seen:
    """What a watch found."""

    def __init__(self) -> None:
        self.changed = ""
        self.unsure: list[str] = []

    def note_changed(self, text: str) -> None:
        self.changed = text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub" / "weights.bin").write_bytes(os.urandom(100_000))
    return tmp_path


@contextlib.asynccontextmanager
async def watching(
    folder: Path, *, rehash_seconds: float = 3600, certified: str = ""
) -> AsyncIterator[tuple[Seen, ModelWatch]]:
    """A watch that looks all the time."""
    measured = measure(folder, 1, None)
    seen = Seen()
    # A test cannot wait for seconds; only a policy is held to the minimum.
    often = Remeasure(0.01, rehash_seconds)  # type: ignore[arg-type]

    async def known(digest: str) -> Manifest:
        return measured.manifest

    looked = ModelWatch(
        folder,
        Certified(certified or measured.manifest.digest, None, known),
        measured.marks,
        lambda: often,
        Findings(seen.note_changed, seen.unsure.append),
    )
    task = asyncio.ensure_future(looked.run())
    try:
        yield seen, looked
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is a file that changes
            await asyncio.sleep(0.005)


def keep_times(path: Path, change: Callable[[], object]) -> None:
    """Change a file and set its modification time back."""
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def append(path: Path) -> None:
    """One byte more."""
    with path.open("a") as file:
        file.write("x")


def link(path: Path) -> None:
    """A link in a file's place."""
    path.unlink()
    path.symlink_to("sub")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "written": (lambda f: (f / "config.json").write_text("[]"), "written: config.json"),
    "appended": (lambda f: append(f / "config.json"), "written: config.json"),
    "added": (lambda f: (f / "evil.py").write_text("x"), "added: evil.py"),
    "added below": (lambda f: (f / "sub" / "e.py").write_text("x"), "added: sub/e.py"),
    "removed": (lambda f: (f / "sub" / "weights.bin").unlink(), "removed: sub/weights.bin"),
    "renamed": (lambda f: (f / "config.json").rename(f / "c.json"), "removed: config.json"),
    "replaced by a copy": (
        lambda f: ((f / "n").write_text("{}"), (f / "n").rename(f / "config.json")),
        "written: config.json",
    ),
    "replaced by a link": (lambda f: link(f / "config.json"), "written: config.json"),
    "touched": (lambda f: (f / "config.json").touch(), "written: config.json"),
    "same size, times set back": (
        lambda f: keep_times(f / "config.json", lambda: (f / "config.json").write_text("[]")),
        "changed: config.json",
    ),
}


@pytest.mark.requirement("re-measure after start acts: the reason names the file")
@pytest.mark.parametrize("name", CHANGES)
async def test_changes_are_seen(folder: Path, name: str) -> None:
    """Whatever is done to a file is final, and the reason names it."""
    change, named = CHANGES[name]
    async with watching(folder) as (seen, _):
        await asyncio.sleep(0.05)
        assert not seen.changed
        change(folder)
        await until(lambda: seen.changed)
    assert named in seen.changed


async def test_owner_and_mode_alone_are_measured_again(folder: Path) -> None:
    """It denies meanwhile, and serves on: the bytes are the same."""
    async with watching(folder) as (seen, _):
        (folder / "config.json").chmod(0o600)
        await until(lambda: seen.unsure and not seen.unsure[-1])
    assert "config.json" in seen.unsure[0]
    assert not seen.changed


async def test_schedule_finds_what_no_time_shows(folder: Path) -> None:
    """Bytes that changed below the file system: nothing to see, found by hashing again."""
    async with watching(folder, rehash_seconds=0.05, certified=f"sha256:{'0' * 64}") as (seen, _):
        await until(lambda: seen.changed)
    assert "certified is sha256:000" in seen.changed


async def test_schedule_renews_the_time_of_the_last_hash(folder: Path) -> None:
    """Every round that finds the certified bytes is noted."""
    async with watching(folder, rehash_seconds=0.05) as (seen, looked):
        first = looked.hashed_at
        await until(lambda: looked.hashed_at > first + 0.01)
    assert not seen.changed
    assert looked.cpu_seconds > 0


async def test_not_seeing_is_not_knowing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be looked at denies until it can."""
    real = scan_directory
    fail = [False]

    def sometimes(root: Path) -> dict[str, scanning.Mark]:
        if fail[0]:
            raise InvalidInput("cannot be looked at: Input/output error")
        return real(root)

    monkeypatch.setattr(watch, "scan_directory", sometimes)
    async with watching(folder) as (seen, _):
        fail[0] = True
        await until(lambda: seen.unsure)
        assert "Input/output error" in seen.unsure[-1]
        fail[0] = False
        await until(lambda: not seen.unsure[-1])
    assert not seen.changed


async def test_a_volume_that_does_not_answer_denies(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that takes too long is a reason, and looking goes on when it is over."""
    gate = threading.Event()
    monkeypatch.setattr(watch, "SCAN_DEADLINE", 0.05)
    real = scan_directory

    def slow(root: Path) -> dict[str, scanning.Mark]:
        gate.wait(5)
        return real(root)

    monkeypatch.setattr(watch, "scan_directory", slow)
    async with watching(folder) as (seen, _):
        await until(lambda: seen.unsure)
        assert "has not answered" in seen.unsure[0]
        gate.set()
        await until(lambda: not seen.unsure[-1])


def test_hashing_keeps_to_its_share(folder: Path) -> None:
    """Between chunks it sleeps in proportion to what they cost; stopped, it ends."""
    pace = Pace(0.5)
    pace(0, 1)
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    started = time.monotonic()
    pace(1, 2)
    assert time.monotonic() - started > 0.03
    assert pace.cpu_seconds >= 0.05
    pace.stopped.set()
    with pytest.raises(Unavailable):
        pace(2, 2)


def test_too_much_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of files ends the look, not the memory."""
    monkeypatch.setattr(scanning, "ENTRIES_MAX", 2)
    with pytest.raises(LimitExceeded):
        scan_directory(folder)


def test_marks_are_told_apart(folder: Path) -> None:
    """The digest another container left is the digest of the same marks, and of no others."""
    marks = scan_directory(folder)
    assert marks_digest(marks) == marks_digest(dict(reversed(marks.items())))
    (folder / "config.json").chmod(0o600)
    later = scan_directory(folder)
    assert marks_digest(later) != marks_digest(marks)
    difference = compare(marks, later)
    assert difference is not None
    assert not difference.written
