"""The vote store: what was said is found again, whatever ends the process."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.consensus import wire
from quorate.consensus.member import Judgement, Key, Persist
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Signed, Verdict, Vote
from quorate.errors import InvalidInput
from quorate_consensus.votes import log_file, store
from quorate_consensus.votes.store import Owner, VoteStore

EPOCH, OTHER = b"e" * 32, b"f" * 32
OWNER = Owner("m0", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}")
DENY = Judgement(Verdict.DENY, 900, ("Rule",), hard=True)
APPROVE = Judgement(Verdict.APPROVE, 10)


def _key(number: int, tier: Tier = Tier.STRICT) -> Key:
    return (number.to_bytes(32, "big"), tier)


def _persist(sequence: int, key: Key, judgement: Judgement, epoch: bytes = EPOCH) -> Persist:
    ballot = Ballot(
        wire.VERSION, "m0", 1, sequence, bytes(32), key[0], key[1], epoch, bytes(16), bytes(32),
        judgement.verdict, judgement.hard, judgement.score, judgement.reasons, bytes(32),
    )  # fmt: skip
    vote = Vote(Signed(wire.encode(ballot), b"s" * 64), Signed(b"d", b"s" * 64))
    return Persist(sequence, vote, epoch, key, judgement)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A store that was made for m0."""
    path = tmp_path / "votes"
    store.init(path, OWNER)
    return path


def _opened(directory: Path, epoch: bytes = EPOCH) -> tuple[VoteStore, Path]:
    opened = VoteStore(directory, OWNER)
    return opened, opened.open_epoch(epoch)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_key_without_a_store_does_not_start(tmp_path: Path) -> None:
    """A member that lost its store is told so, and how to go on."""
    with pytest.raises(InvalidInput, match="committee rotate"):
        VoteStore(tmp_path / "gone", OWNER)


def test_a_store_is_made_once_and_for_one(directory: Path) -> None:
    """Neither is a store made over another, nor opened by another member, under another key, or for
    another installation."""
    with pytest.raises(InvalidInput, match="not empty"):
        store.init(directory, OWNER)
    for other in (
        replace(OWNER, member="m1"),
        replace(OWNER, key="sha256:other"),
        replace(OWNER, genesis="sha256:other"),
    ):
        with pytest.raises(InvalidInput, match="store of another"):
            VoteStore(directory, other)


def test_a_member_with_a_new_key_keeps_what_it_said(directory: Path) -> None:
    """Made again under another key, a store stays what it is; for nobody else."""
    before, _ = _opened(directory)
    number = before.begin_incarnation()
    fresh = replace(OWNER, key="sha256:other")
    assert not store.init(directory, fresh)
    assert VoteStore(directory, fresh).begin_incarnation() > number
    with pytest.raises(InvalidInput):
        VoteStore(directory, OWNER)
    for other in (replace(OWNER, member="m1"), replace(OWNER, genesis="sha256:other")):
        with pytest.raises(InvalidInput, match="not empty"):
            store.init(directory, other)


def test_a_store_never_goes_back(directory: Path) -> None:
    """Votes of an epoch that is over are forgotten, so a member that lost its chain does not vote
    in one again."""
    opened, _ = _opened(directory)
    opened.reach(0)
    opened.reach(3)
    opened.reach(3)
    again, _ = _opened(directory)
    with pytest.raises(InvalidInput, match="has voted in epoch 3"):
        again.reach(2)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"member":"m0"}', b"x" * 5_000])
def test_a_mark_that_cannot_be_read_opens_nothing(directory: Path, content: bytes) -> None:
    """Whose the store is must be certain."""
    (directory / "member").write_bytes(content)
    with pytest.raises(InvalidInput):
        VoteStore(directory, OWNER)
    with pytest.raises(InvalidInput):
        store.init(directory, OWNER)


def test_a_store_cannot_be_made_in_a_file(tmp_path: Path) -> None:
    """Where there is no room for a directory, it says so."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput, match="cannot be made"):
        store.init(tmp_path / "file" / "votes", OWNER)


def test_a_verdict_is_found_before_the_disk_confirms(directory: Path) -> None:
    """Whoever asks again meanwhile gets the same answer."""
    opened, _ = _opened(directory)
    opened.hand_over(_persist(1, _key(1), DENY))
    assert opened.find(EPOCH, _key(1)) == DENY
    assert opened.find(EPOCH, _key(1, Tier.FAST)) is None
    assert opened.find(OTHER, _key(1)) is None


def test_what_was_written_is_found_after_a_crash(directory: Path) -> None:
    """Denials and approvals of this epoch come back with score, reasons and hardness."""
    opened, path = _opened(directory)
    for sequence, judgement in enumerate((DENY, APPROVE), start=1):
        _append(path, opened.hand_over(_persist(sequence, _key(sequence), judgement)))
    again, _ = _opened(directory)
    assert again.find(EPOCH, _key(1)) == DENY
    assert again.find(EPOCH, _key(2)) == APPROVE


@pytest.mark.parametrize("kept", range(1, 40, 3))
def test_a_tail_cut_short_is_cut_off(directory: Path, kept: int) -> None:
    """A record that a crash left half-written was never said; those before it stay."""
    opened, path = _opened(directory)
    _append(path, opened.hand_over(_persist(1, _key(1), DENY)))
    whole = path.stat().st_size
    _append(path, opened.hand_over(_persist(2, _key(2), DENY))[:kept])
    again, _ = _opened(directory)
    assert again.find(EPOCH, _key(1)) == DENY
    assert again.find(EPOCH, _key(2)) is None
    assert path.stat().st_size == whole


def test_damage_further_up_is_not_passed_over(directory: Path) -> None:
    """A bad record with more after it than one group: the member does not start."""
    opened, path = _opened(directory)
    record = opened.hand_over(_persist(1, _key(1), DENY))
    _append(path, record * (log_file.GROUP_BYTES // len(record) + 2))
    with path.open("r+b") as file:
        file.seek(len(log_file.MAGIC) + 20)
        file.write(b"\xff\xff")
    with pytest.raises(InvalidInput, match="damaged at byte"):
        _opened(directory)


def test_a_denial_outlives_a_later_approval(directory: Path) -> None:
    """Even if somebody made the log say so, an approval does not replace a denial."""
    opened, path = _opened(directory)
    for sequence, judgement in enumerate((DENY, APPROVE), start=1):
        _append(path, opened.hand_over(_persist(sequence, _key(1), judgement)))
    again, _ = _opened(directory)
    assert again.find(EPOCH, _key(1)) == DENY


def test_a_later_epoch_begins_empty(directory: Path) -> None:
    """What was said in an epoch binds in that epoch; its log goes."""
    opened, path = _opened(directory)
    _append(path, opened.hand_over(_persist(1, _key(1), DENY)))
    opened.open_epoch(OTHER)
    assert opened.find(OTHER, _key(1)) is None
    assert not path.exists()


def test_incarnations_only_rise(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the clock goes back; and when the disk forgot, the clock carries it."""
    opened = VoteStore(directory, OWNER)
    first = opened.begin_incarnation()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert opened.begin_incarnation() == first + 1
    monkeypatch.undo()
    (directory / "incarnation").unlink()
    assert opened.begin_incarnation() > first


def test_a_full_store_says_so(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound no denial can be kept; approvals are bounded by forgetting the oldest."""
    monkeypatch.setattr(store, "DENIALS_MAX", 2)
    monkeypatch.setattr(store, "APPROVALS_MAX", 2)
    opened, _ = _opened(directory)
    for number in range(3):
        opened.hand_over(_persist(number, _key(number), APPROVE))
    assert opened.find(EPOCH, _key(0)) is None
    assert opened.find(EPOCH, _key(2)) == APPROVE
    for number in range(2):
        assert not opened.is_full()
        opened.hand_over(_persist(9, _key(number), DENY))
    assert opened.is_full()


def test_an_empty_file_is_a_log_that_was_being_made(directory: Path) -> None:
    """The process ended between making the name and the first bytes."""
    opened, path = _opened(directory)
    os.truncate(path, 3)
    again, _ = _opened(directory)
    assert path.read_bytes() == log_file.MAGIC
    assert again.find(EPOCH, _key(1)) is None
    assert opened is not again


@pytest.mark.parametrize("data", [b"", b"quorate-votes/2\n", b"x" * 100])
def test_another_file_is_no_log(tmp_path: Path, data: bytes) -> None:
    """A file of another kind or version is refused, not overwritten."""
    path = tmp_path / "log"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="no vote log"):
        list(log_file.records(path))
