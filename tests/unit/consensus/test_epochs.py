"""A member's chain: what it keeps, what it serves, and that nothing on its disk is believed."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from quorate.consensus import history as histories
from quorate.consensus import succession
from quorate.consensus.epoch import RECORD_BYTES, Change
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import InvalidInput, LimitExceeded, QuorateError
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_io import member_api
from tests.fakes.ballots import Committee, digest


class Chain:
    """A committee that goes on, and the records that certify it."""

    def __init__(self) -> None:
        self.committee = Committee()
        self.genesis = self.committee.epoch
        self.records: list[CertifiedRecord] = []

    def next(self, members: int = 4) -> CertifiedRecord:
        """One more record, certified unless fewer sign."""
        number = self.committee.epoch.record.number
        policies = digest("abcdef"[number % 6])
        record = self.committee.next_record(Change.POLICIES, policies=policies)
        certified = self.committee.endorse(record, members, admins=2)
        if members >= 4:
            self.committee.open(record)
            self.records.append(certified)
        return certified


@pytest.fixture
def chain() -> Chain:
    """A chain of number 0 only."""
    return Chain()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a member keeps its chain."""
    return tmp_path / "epochs"


@pytest.mark.requirement("epoch chain: a member's records survive a restart")
def test_what_was_taken_in_is_there_after_a_restart(chain: Chain, directory: Path) -> None:
    """Every record, from the files alone; the head is the newest."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    assert epochs.head == chain.genesis
    for _ in range(3):
        assert epochs.extend(chain.next()) == chain.committee.epoch
    again = Epochs(chain.genesis, ChainFiles(directory))
    assert again.history == epochs.history
    assert again.head.record.number == 3
    assert again.extend(chain.next()).record.number == 4


def test_without_files_it_ends_with_the_process(chain: Chain) -> None:
    """It follows all the same."""
    epochs = Epochs(chain.genesis)
    epochs.extend(chain.next())
    assert epochs.head == chain.committee.epoch
    assert Epochs(chain.genesis).head == chain.genesis


@pytest.mark.requirement("epoch chain: nobody extends it without its members")
def test_a_record_that_is_not_certified_changes_nothing(chain: Chain, directory: Path) -> None:
    """Too few members, or one that does not follow: neither in memory nor on disk."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    with pytest.raises(QuorateError):
        epochs.extend(chain.next(members=3))
    first, second = chain.next(), chain.next()
    with pytest.raises(QuorateError):
        epochs.extend(second)
    assert epochs.head == chain.genesis
    assert os.listdir(directory) == []
    epochs.extend(first)
    with pytest.raises(QuorateError):
        epochs.extend(first)


def test_a_disk_that_cannot_keep_it(
    chain: Chain, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not on disk for certain does not count."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    certified = chain.next()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            epochs.extend(certified)
    assert epochs.head == chain.genesis
    assert Epochs(chain.genesis, ChainFiles(directory)).head == chain.genesis
    epochs.extend(certified)
    assert Epochs(chain.genesis, ChainFiles(directory)).head == chain.committee.epoch


def cut(directory: Path) -> None:
    """Its end is missing."""
    path = directory / "0000000002.json"
    path.write_bytes(path.read_bytes()[:-10])


def lose(directory: Path) -> None:
    """One is not there."""
    (directory / "0000000002.json").unlink()


def swap(directory: Path) -> None:
    """The first again in the place of the second."""
    first = (directory / "0000000001.json").read_bytes()
    (directory / "0000000002.json").write_bytes(first)


def weaken(directory: Path) -> None:
    """One signature fewer than it needs."""
    path = directory / "0000000002.json"
    certified = succession.parse_certified(path.read_bytes())
    fewer = msgspec.structs.replace(certified, members=certified.members[:3])
    path.write_bytes(msgspec.json.encode(fewer))


def grow(directory: Path) -> None:
    """More bytes than a record may have."""
    (directory / "0000000002.json").write_bytes(b" " * (RECORD_BYTES + 1))


@pytest.mark.requirement("epoch chain: what is on disk proves itself")
@pytest.mark.parametrize("spoil", [cut, lose, swap, weaken, grow])
def test_a_chain_that_does_not_hold_is_no_start(
    chain: Chain, directory: Path, spoil: Callable[[Path], None]
) -> None:
    """Cut off, missing, out of order, signed by too few, oversized: refused, with a remedy."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    for _ in range(3):
        epochs.extend(chain.next())
    spoil(directory)
    with pytest.raises(InvalidInput) as refused:
        Epochs(chain.genesis, ChainFiles(directory))
    assert "restore the member's volume" in str(refused.value.fix)


def test_the_chain_of_another_genesis_is_no_start(chain: Chain, directory: Path) -> None:
    """A volume that was kept from an installation before."""
    Epochs(chain.genesis, ChainFiles(directory)).extend(chain.next())
    with pytest.raises(InvalidInput, match="does not follow from genesis"):
        Epochs(Committee().epoch, ChainFiles(directory))


def test_what_a_crash_left_half_written_is_not_there(chain: Chain, directory: Path) -> None:
    """It never had a record's name."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    epochs.extend(chain.next())
    (directory / "0000000002.new").write_bytes(b'{"record":')
    again = Epochs(chain.genesis, ChainFiles(directory))
    assert again.head == epochs.head
    assert again.extend(chain.next()).record.number == 2


def test_a_place_that_cannot_be_used(chain: Chain, tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "epochs").write_bytes(b"")
    with pytest.raises(InvalidInput, match="cannot be made"):
        ChainFiles(tmp_path / "epochs")


def test_a_record_too_large_to_be_read_again_is_refused(chain: Chain, directory: Path) -> None:
    """Signatures of nobody make it larger than anybody reads."""
    epochs = Epochs(chain.genesis, ChainFiles(directory))
    certified = chain.next()
    nobody = (Endorsement("x", bytes(RECORD_BYTES)),)
    with pytest.raises(LimitExceeded):
        epochs.extend(msgspec.structs.replace(certified, members=certified.members + nobody))
    assert epochs.head == chain.genesis


@pytest.mark.requirement("epoch chain: served in bounded pages, followed from the pinned genesis")
def test_pages_lead_to_the_head(chain: Chain) -> None:
    """Whoever asks again after the last record of a page ends where the member is."""
    epochs = Epochs(chain.genesis)
    for _ in range(member_api.CHAIN_PAGE + 3):
        epochs.extend(chain.next())
    history, pages = histories.begin(chain.genesis), 0
    while page := epochs.after(history.head.record.number):
        assert len(page) <= member_api.CHAIN_PAGE
        history = histories.follow(history, page, KeySignatures())
        pages += 1
    assert pages == 2
    assert history == epochs.history
    assert epochs.after(10**9) == []


def test_a_page_is_bounded_in_bytes(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large records come fewer at a time, and one at least."""
    epochs = Epochs(chain.genesis)
    for _ in range(4):
        epochs.extend(chain.next())
    largest = max(len(msgspec.json.encode(record)) for record in chain.records)
    monkeypatch.setattr(member_api, "CHAIN_PAGE_BYTES", 2 * largest + largest // 2)
    assert len(epochs.after(0)) == 2


def test_the_largest_record_fits_an_answer() -> None:
    """So that no record that was certified can stop those who follow."""
    assert RECORD_BYTES <= member_api.CHAIN_PAGE_BYTES < member_api.GENESIS_BYTES
