"""Measuring a directory: every file counts, and what has two readings is refused."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.errors import EvidenceError, InvalidInput, LimitExceeded
from quorate.manifest import Manifest
from quorate_io import measuring
from quorate_io.measuring import measure_directory


def measure(root: Path, progress: measuring.Progress = lambda done, total: None) -> Manifest:
    return measure_directory(root, workers=2, progress=progress)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with three files, one of them hidden and one empty."""
    root = tmp_path / "model"
    (root / "weights").mkdir(parents=True)
    (root / "config.json").write_bytes(b"{}")
    (root / "weights" / "model.bin").write_bytes(bytes(range(256)) * 5000)
    (root / "weights" / ".hidden").write_bytes(b"")
    return root


def test_every_file_is_measured(model: Path) -> None:
    """Hidden, empty and large files are all listed with the SHA-256 of their bytes."""
    expected = {
        str(path.relative_to(model)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in model.rglob("*")
        if path.is_file()
    }
    assert dict(measure(model).files) == expected
    assert len(expected) == 3


def test_number_of_workers_changes_nothing(model: Path) -> None:
    """The digest does not depend on how the work is shared."""
    digests = {
        measure_directory(model, workers=n, progress=lambda *_: None).digest for n in (1, 2, 8)
    }
    assert len(digests) == 1


def test_progress_ends_at_the_total(model: Path) -> None:
    """Progress starts at zero, only grows, and ends with every byte."""
    seen: list[tuple[int, int]] = []
    measure(model, lambda done, total: seen.append((done, total)))
    total = 2 + 256 * 5000
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def link(root: Path) -> None:
    (root / "link").symlink_to("config.json")


def link_to_directory(root: Path) -> None:
    (root / "more").symlink_to("weights", target_is_directory=True)


def dangling_link(root: Path) -> None:
    (root / "gone").symlink_to("nowhere")


def pipe(root: Path) -> None:
    os.mkfifo(root / "weights" / "pipe")


def unix_socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)  # a socket's path is short
        try:
            server.bind("s")
        finally:
            os.chdir(here)


def backslash(root: Path) -> None:
    (root / "a\\b").write_bytes(b"")


def newline(root: Path) -> None:
    (root / "a\nb").write_bytes(b"")


def not_utf8(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff"))).write_bytes(b"")


def not_normalised(root: Path) -> None:
    (root / "e\u0301").write_bytes(b"")


def case_twins(root: Path) -> None:
    (root / "CONFIG.json").write_bytes(b"")


def bad_directory_name(root: Path) -> None:
    (root / "a\tb").mkdir()


@pytest.mark.requirement("a symlink, a special file or an ambiguous name is refused")
@pytest.mark.parametrize(
    "spoil",
    [
        link,
        link_to_directory,
        dangling_link,
        pipe,
        unix_socket,
        backslash,
        newline,
        not_utf8,
        not_normalised,
        case_twins,
        bad_directory_name,
    ],
)
def test_what_has_two_readings_is_refused(model: Path, spoil: Callable[[Path], None]) -> None:
    """Anything but plainly named regular files stops the measuring; the good rest does not pass."""
    measure(model)
    spoil(model)
    with pytest.raises(InvalidInput):
        measure(model)


def test_link_names_the_file_and_the_fix(model: Path) -> None:
    """The error names the link and what to do about it."""
    link_to_directory(model)
    with pytest.raises(InvalidInput, match=r"more: is a symbolic link \(replace it"):
        measure(model)


@pytest.mark.parametrize("kind", ["missing", "file", "link", "empty"])
def test_root_must_be_a_directory_with_files(model: Path, kind: str) -> None:
    """A root that is absent, a file, a link or empty is no model."""
    roots = {
        "missing": model / "nowhere",
        "file": model / "config.json",
        "link": model.parent / "link",
        "empty": model.parent / "empty",
    }
    roots["link"].symlink_to(model)
    (roots["empty"] / "inner").mkdir(parents=True)
    with pytest.raises(InvalidInput):
        measure(roots[kind])


def test_workers_must_be_positive(model: Path) -> None:
    """Zero workers would hash nothing."""
    with pytest.raises(InvalidInput, match="workers"):
        measure_directory(model, workers=0, progress=lambda *_: None)


def test_unreadable_file_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An I/O error names the file and stops the measuring."""

    def broken(fd: int, buffers: list[memoryview]) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "readv", broken)
    with pytest.raises(InvalidInput, match=r"cannot be read: Input/output error"):
        measure(model)


def changing(model: Path, change: Callable[[], object]) -> Manifest:
    """Measure while ``change`` happens once, after the first bytes."""
    once = threading.Event()

    def progress(done: int, total: int) -> None:
        if done and not once.is_set():
            once.set()
            change()

    return measure(model, progress)


@pytest.mark.requirement("a file that changes while it is measured is refused")
def test_growth_while_hashing_is_refused(model: Path) -> None:
    """A file that grows after it was listed is reported, not hashed half."""
    big = model / "weights" / "model.bin"
    with pytest.raises(EvidenceError, match=r"weights/model.bin"):
        changing(model, lambda: os.truncate(big, big.stat().st_size + 4))


def test_truncation_while_hashing_is_refused(model: Path) -> None:
    """So is a file that shrinks."""
    big = model / "weights" / "model.bin"
    with pytest.raises(EvidenceError, match=r"weights/model.bin"):
        changing(model, lambda: os.truncate(big, 10))


def test_change_of_the_same_size_while_hashing_is_refused(model: Path) -> None:
    """So is one whose bytes change in place, even with its old modification time restored."""
    big = model / "weights" / "model.bin"
    old = big.stat()

    def rewrite() -> None:
        big.write_bytes(b"\0" * old.st_size)
        os.utime(big, ns=(old.st_atime_ns, old.st_mtime_ns))

    with pytest.raises(EvidenceError, match="changed while"):
        changing(model, rewrite)


def test_file_added_while_hashing_is_refused(model: Path) -> None:
    """A file that appears after the listing is noticed at the end."""
    with pytest.raises(EvidenceError, match="added"):
        changing(model, lambda: (model / "late.py").write_bytes(b"x"))


def test_directory_swapped_for_a_link_while_hashing_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory on the way that becomes a link is not followed."""
    outside = model.parent / "outside"
    outside.mkdir()
    (outside / ".hidden").write_bytes(b"")
    (outside / "model.bin").write_bytes((model / "weights" / "model.bin").read_bytes())
    run = measuring._Hashing.run

    def swapped(self: measuring._Hashing, workers: int) -> dict[str, str]:
        (model / "weights").rename(model.parent / "moved")
        (model / "weights").symlink_to(outside)
        return run(self, workers)

    monkeypatch.setattr(measuring._Hashing, "run", swapped)
    with pytest.raises(InvalidInput, match="weights/"):
        measure(model)


def test_too_deep_is_refused(tmp_path: Path) -> None:
    """Depth is bounded, each level holds a descriptor."""
    deep = tmp_path.joinpath(*["d"] * (measuring.DEPTH_MAX + 1))
    deep.mkdir(parents=True)
    (deep / "f").write_bytes(b"")
    with pytest.raises(LimitExceeded, match="deeper"):
        measure(tmp_path)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of empty directories ends too."""
    monkeypatch.setattr(measuring, "ENTRIES_MAX", 10)
    for index in range(11):
        (tmp_path / str(index)).mkdir()
    with pytest.raises(LimitExceeded, match="more than 10"):
        measure(tmp_path)


def test_descriptors_are_closed(model: Path) -> None:
    """Measuring, also when it fails, leaves no file descriptor open."""
    before = set(os.listdir("/proc/self/fd"))
    measure(model)
    link(model)
    with pytest.raises(InvalidInput):
        measure(model)
    assert set(os.listdir("/proc/self/fd")) == before
