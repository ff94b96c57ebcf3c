"""The audit chain: what a verifier must notice, and what it must say about it."""

from datetime import UTC, datetime

import pytest

from quorate.audit.chain import ORIGIN, Chain, Verifier, line_hash, verify_lines
from quorate.audit.records import LINE_BYTES, Body, Close, Deny, Head, Open
from quorate.errors import InvalidInput

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32


def head(file: int = 0, dropped: int = 0) -> Head:
    return Head(1, file, "team", "pod-0", "uid-0", DIGEST, dropped)


def opened(name: str) -> Open:
    return Open(name, "/v1/chat/completions", "demo", False, 10, DIGEST, (), (DIGEST,), DIGEST)


def closed(name: str) -> Close:
    return Close(name, "released", 200, "", 20, 20, DIGEST, (), (), 3)


def denied(name: str) -> Deny:
    return Deny(name, "/v1/chat/completions", 403, "ContentDenied", "no", 9, (), (DIGEST,), DIGEST)


def written(*bodies: Body) -> list[bytes]:
    chain = Chain()
    return [chain.extend(body, NOW) for body in bodies]


WHOLE = written(head(), opened("a"), denied("b"), opened("c"), closed("a"), closed("c"))


@pytest.mark.requirement("audit: the chain of an untouched log verifies")
def test_untouched_log_verifies() -> None:
    """Every line counts, the head is the last line's hash, and nothing is open."""
    report = verify_lines(WHOLE, Chain())
    assert report.intact
    assert report.records == 6
    assert report.head == line_hash(WHOLE[-1][:-1])
    assert report.interrupted == ()
    assert report.counts == {"head": 1, "open": 2, "deny": 1, "close": 2, "released": 2}


@pytest.mark.parametrize("index", range(len(WHOLE)))
@pytest.mark.requirement("audit: a changed record is found at its exact place")
def test_changed_line_is_found(index: int) -> None:
    """A changed byte breaks the chain at that line, or at the next, whose hash no longer fits."""
    changed = WHOLE[index].replace(b"2026-11-21", b"2026-11-22")
    lines = [*WHOLE[:index], changed, *WHOLE[index + 1 :]]
    report = verify_lines(lines, Chain())
    if index == len(WHOLE) - 1:
        # The last line is vouched for by nothing after it: only the head hash tells.
        assert report.head != line_hash(WHOLE[-1][:-1])
    else:
        assert report.broken is not None
        assert report.broken.index == index + 1
        assert "changed" in report.broken.message


@pytest.mark.parametrize("index", range(len(WHOLE) - 1))
@pytest.mark.requirement("audit: a missing record is found at its exact place")
def test_missing_line_is_found(index: int) -> None:
    """A removed line leaves a gap that the report counts."""
    report = verify_lines([*WHOLE[:index], *WHOLE[index + 1 :]], Chain())
    assert report.broken is not None
    assert report.broken.index == index
    assert "1 missing" in report.broken.message


def test_swapped_lines_are_found() -> None:
    """Two lines in each other's place break the chain at the first of them."""
    report = verify_lines([WHOLE[0], WHOLE[2], WHOLE[1], *WHOLE[3:]], Chain())
    assert report.broken is not None
    assert report.broken.index == 1


def test_cut_beginning_is_found_if_the_start_is_known() -> None:
    """A log that must start at the origin does not verify from the middle, an archive does."""
    assert verify_lines(WHOLE[2:], Chain()).broken is not None
    report = verify_lines(WHOLE[4:])
    assert report.intact
    assert report.first_seq == 4


@pytest.mark.requirement("audit: an open record without a close record is an interrupted exchange")
def test_open_without_close_is_interrupted() -> None:
    """Exchanges that never closed are named."""
    assert verify_lines(WHOLE[:4], Chain()).interrupted == ("a", "c")


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_truncated_tail_is_reported_not_believed(kept: int) -> None:
    """An unfinished last line is counted apart and does not enter the chain."""
    report = verify_lines([*WHOLE[:3], WHOLE[3][:kept]], Chain())
    assert report.intact
    assert report.records == 3
    assert report.truncated_bytes == len(WHOLE[3][:kept])


@pytest.mark.requirement("audit: a log survives the crash of its writer")
def test_restarted_writer_continues_behind_a_truncated_tail() -> None:
    """A head that names the unfinished bytes resumes the chain; another line does not."""
    chain = Chain(3, line_hash(WHOLE[2][:-1]))
    resumed = chain.extend(head(1, dropped=20), NOW)
    report = verify_lines([*WHOLE[:3], WHOLE[3][:20], resumed], Chain())
    assert report.intact
    assert report.truncated_bytes == 0
    assert report.next_seq == 4

    for wrong in (head(1, dropped=19), opened("z")):
        line = Chain(3, line_hash(WHOLE[2][:-1])).extend(wrong, NOW)
        assert not verify_lines([*WHOLE[:3], WHOLE[3][:20], line], Chain()).intact


@pytest.mark.parametrize(
    ("bodies", "words"),
    [
        ((opened("a"), opened("a")), "second time"),
        ((closed("a"),), "not open"),
        ((opened("a"), closed("a"), closed("a")), "not open"),
    ],
)
def test_records_that_do_not_pair_are_found(bodies: tuple[Body, ...], words: str) -> None:
    """A chain may be whole and still tell a story that cannot be."""
    report = verify_lines(written(head(), *bodies), Chain())
    assert report.broken is not None
    assert words in report.broken.message


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 5000 + b"\n",
        b'{"seq":0}\n',
        b"x" * (LINE_BYTES + 2) + b"\n",
    ],
    ids=["empty", "object", "not-utf8", "deep", "short", "long"],
)
def test_garbage_is_a_break_not_a_crash(line: bytes) -> None:
    """What is not a record is said to be none, with its line number."""
    report = verify_lines([WHOLE[0], line, *WHOLE[1:]], Chain())
    assert report.broken is not None
    assert report.broken.index == 1
    assert report.broken.message.startswith("line 2 ")


def test_nothing_is_an_empty_log() -> None:
    """No lines: intact, at the origin."""
    report = Verifier(Chain()).report()
    assert (report.records, report.next_seq, report.head) == (0, 0, ORIGIN)


def test_oversized_record_is_refused_before_it_is_written() -> None:
    """A record that no verifier would read is an error, and the chain does not move."""
    chain = Chain()
    huge = Open("a", "/" * LINE_BYTES, "", False, 0, DIGEST, (), (DIGEST,), DIGEST)
    with pytest.raises(InvalidInput, match="limit"):
        chain.extend(huge, NOW)
    assert (chain.seq, chain.head) == (0, ORIGIN)
