"""The token file: what is shown is what the file holds now."""

import os
import time
from pathlib import Path

import pytest

from quorate.errors import Unavailable
from quorate_io import token_file
from quorate_io.token_file import TokenFile


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the kubelet projects it: behind a link to a folder. Time stamps are told apart at once."""
    monkeypatch.setattr(token_file, "FRESH_NS", 0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"{name}.token.x\n")
    (tmp_path / "data").symlink_to("one")
    return tmp_path / "data" / "token"


def switch(path: Path) -> None:
    """Replace it at once, as the kubelet does: by another link."""
    link = path.parent.parent / "fresh"
    link.symlink_to("two")
    link.replace(path.parent)


def test_what_replaces_it_is_shown_at_once(path: Path) -> None:
    """A remembered token is never shown when the file is another."""
    file = TokenFile(path)
    assert [file.shown(), file.shown()] == ["Bearer one.token.x"] * 2
    switch(path)
    assert file.shown() == "Bearer two.token.x"


def test_what_is_written_over_it_is_shown(path: Path) -> None:
    """The same file, as long as before: its time tells."""
    file = TokenFile(path)
    file.shown()
    time.sleep(0.02)
    path.write_text("ONE.token.x\n")
    assert file.shown() == "Bearer ONE.token.x"


def test_what_was_written_just_now_is_read_every_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice within a tick of the clock, with the same size: time stamps could not tell."""
    monkeypatch.setattr(token_file, "FRESH_NS", 10**10)
    file, times = TokenFile(path), os.stat(path)
    assert file.shown() == "Bearer one.token.x"
    path.write_text("ONE.token.x\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.shown() == "Bearer ONE.token.x"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\0b", b"a" * 16_385])
def test_what_is_no_token_is_not_shown(path: Path, content: bytes) -> None:
    """Nor is the one before it, however often one asks."""
    file = TokenFile(path)
    file.shown()
    time.sleep(0.02)
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(Unavailable):
            file.shown()


def test_a_file_that_went_is_not_remembered(path: Path) -> None:
    """Without a file there is no token; when it is back, it is read."""
    file = TokenFile(path)
    file.shown()
    path.unlink()
    with pytest.raises(Unavailable):
        file.shown()
    path.write_text("back.token.x")
    assert file.shown() == "Bearer back.token.x"


def test_it_is_not_read_again_while_it_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at it is what a request costs."""
    file = TokenFile(path)
    file.shown()
    monkeypatch.setattr(Path, "open", None)
    assert file.shown() == "Bearer one.token.x"
