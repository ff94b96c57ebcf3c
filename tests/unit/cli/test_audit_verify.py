"""audit verify: the command around the chain of the core."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from quorate.audit.chain import Chain, line_hash
from quorate.audit.records import FORMAT, LINE_BYTES, Head
from tests.unit.cli.conftest import Quorate

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def lines(count: int) -> list[bytes]:
    """A log of so many records."""
    chain = Chain()
    return [
        chain.extend(Head(FORMAT, index, "team-a", "pod-0", "uid", ""), NOW)
        for index in range(count)
    ]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of four records."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(lines(4)))
    return path


@pytest.mark.requirement("`quorate audit verify FILE` checks the audit file")
def test_untouched_log_is_intact(quorate: Quorate, log: Path) -> None:
    """The number of records and the head are printed."""
    ran = quorate("audit", "verify", log, "--output", "json")
    assert ran.code == 0
    assert ran.document["intact"] is True
    assert ran.document["records"] == 4
    assert ran.document["head"] == line_hash(lines(4)[-1][:-1])
    assert "intact: 4 records" in quorate("audit", "verify", log).out


@pytest.mark.requirement("`quorate audit verify FILE` checks the audit file")
def test_changed_record_is_denied(quorate: Quorate, log: Path) -> None:
    """One changed byte exits 1 and names the line."""
    log.write_bytes(log.read_bytes().replace(b"team-a", b"team-b", 1))
    ran = quorate("audit", "verify", log)
    assert ran.code == 1
    assert "DENIED: line 2" in ran.out


def test_removed_record_is_denied(quorate: Quorate, log: Path) -> None:
    """A record cut from the middle or the start is noticed."""
    whole = lines(4)
    for cut in (whole[1:], whole[:1] + whole[2:]):
        log.write_bytes(b"".join(cut))
        assert quorate("audit", "verify", log).code == 1


def test_cut_end_shows_against_a_head_kept_elsewhere(quorate: Quorate, log: Path) -> None:
    """The chain alone cannot tell; with --head it does."""
    head = line_hash(lines(4)[-1][:-1])
    assert quorate("audit", "verify", log, "--head", head).code == 0
    log.write_bytes(b"".join(lines(3)))
    assert quorate("audit", "verify", log).code == 0
    ran = quorate("audit", "verify", log, "--head", head)
    assert ran.code == 1
    assert "records are missing" in ran.out


def test_several_files_are_one_log(quorate: Quorate, tmp_path: Path) -> None:
    """Rotated files verify together in order, and alone only with --partial."""
    whole = lines(4)
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"".join(whole[:2]))
    two.write_bytes(b"".join(whole[2:]))
    assert quorate("audit", "verify", one, two).code == 0
    assert quorate("audit", "verify", two, one).code == 1
    assert quorate("audit", "verify", two).code == 1
    assert quorate("audit", "verify", "--partial", two).code == 0


def test_unfinished_last_line_is_reported(quorate: Quorate, log: Path) -> None:
    """A crash leaves half a line: it is said, and what is whole still counts."""
    log.write_bytes(log.read_bytes() + b'{"seq":4')
    ran = quorate("audit", "verify", log)
    assert ran.code == 0
    assert "unfinished last line: 8 bytes" in ran.out


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}\n", b"\xff\n", b"[" * 10_000 + b"\n", b"x" * (LINE_BYTES * 3) + b"\n"],
    ids=["empty", "blank", "object", "not utf-8", "deep", "long"],
)
def test_what_is_no_log_is_denied(quorate: Quorate, log: Path, content: bytes) -> None:
    """A file without one good record is never called intact."""
    log.write_bytes(content)
    assert quorate("audit", "verify", log).code == 1


def test_missing_file_is_bad_input(quorate: Quorate, tmp_path: Path) -> None:
    """A path with a typing error is told apart from a broken chain."""
    ran = quorate("audit", "verify", tmp_path / "nowhere")
    assert ran.code == 2
    assert "nowhere" in ran.err
