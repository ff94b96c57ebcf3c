"""The vote log made small again while votes go on: every denial is found, whatever happens."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from quorate.consensus.member import Judgement, Key
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from quorate_consensus.votes import compaction, log_file, store
from quorate_consensus.votes.compaction import Compaction, copy_of
from quorate_consensus.votes.store import VoteStore
from quorate_consensus.votes.writer import GroupWriter
from tests.unit.consensus.test_vote_store import APPROVE, DENY, EPOCH, OWNER, _key, _persist

LIMIT = 20_000


class Log:
    """A store and a writer, as a member has them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        store.init(directory, OWNER)
        self.errors: list[OSError] = []
        self.certain = 0
        self.sequence = 0
        self.said: dict[Key, Judgement] = {}
        self.changed = asyncio.Event()

    def open(self) -> None:
        """Begin to write."""
        self.store = VoteStore(self.directory, OWNER)
        self.path = self.store.open_epoch(EPOCH)
        self.writer = GroupWriter(self.path, self.persisted, self.failed)
        self.writing = asyncio.create_task(self.writer.write_for_ever())

    def persisted(self, sequence: int) -> None:
        """Certain up to here."""
        self.certain = sequence
        self.changed.set()

    def failed(self, error: OSError) -> None:
        """The disk refused."""
        self.errors.append(error)
        self.changed.set()

    async def say(self, count: int, judgement: Judgement, first: int = 0) -> None:
        """So many votes about other requests, and wait until they are certain."""
        for number in range(first, first + count):
            self.sequence += 1
            key = _key(number, Tier.STRICT if number % 2 else Tier.FAST)
            known = self.said.get(key)
            if known is None or judgement.verdict is Verdict.DENY:
                self.said[key] = judgement
            persist = _persist(self.sequence, key, self.said[key])
            self.writer.append(self.sequence, self.store.hand_over(persist))
        while self.certain < self.sequence and not self.errors:
            await self.changed.wait()
            self.changed.clear()

    async def close(self) -> None:
        """End as a member does."""
        self.writing.cancel()
        await asyncio.wait({self.writing})
        self.writer.close()

    def check(self) -> None:
        """Another process finds every denial, and nothing that was not said."""
        found = VoteStore(self.directory, OWNER)
        found.open_epoch(EPOCH)
        for key, judgement in self.said.items():
            again = found.find(EPOCH, key)
            if judgement.verdict is Verdict.DENY:
                assert again == judgement
            else:
                assert again in (None, judgement)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that become small soon."""
    monkeypatch.setattr(compaction, "COMPACT_BYTES", LIMIT)
    monkeypatch.setattr(compaction, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A new member's."""
    return Log(tmp_path / "votes")


async def becomes_smaller(log: Log, before: int) -> None:
    """Wait for the copy to take the log's place."""
    for _ in range(2_000):
        if log.path.stat().st_size < before:
            return
        await asyncio.sleep(0.01)


async def until_small(log: Log) -> int:
    """Say approvals until the log has become smaller; its size then."""
    for _ in range(400):
        before = log.path.stat().st_size
        await log.say(5, APPROVE, first=1_000)
        if before >= LIMIT:
            # These went on meanwhile; more would make the log as long as the copying takes.
            await becomes_smaller(log, before)
        if log.path.stat().st_size < before:
            return log.path.stat().st_size
    raise AssertionError("it never became smaller")


@pytest.mark.requirement("the vote store is bounded, and every denial is found")
async def test_a_log_of_approvals_becomes_small(log: Log) -> None:
    """Approvals go, denials stay, votes go on meanwhile, and again and again."""
    log.open()
    await log.say(10, DENY)
    for _ in range(3):
        assert await until_small(log) < LIMIT
    await log.say(10, DENY, first=20)
    assert log.errors == []
    await log.close()
    log.check()
    log.open()
    assert log.store.find(EPOCH, _key(1)) == DENY
    await log.close()


async def test_a_log_of_denials_is_not_copied_all_the_time(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot become smaller is left alone until it has doubled; the same denial said again is
    kept once."""
    begun: list[int] = []
    begin = Compaction.begin

    def counted(self: Compaction) -> None:
        begun.append(self.path.stat().st_size)
        begin(self)

    monkeypatch.setattr(Compaction, "begin", counted)
    log.open()
    for number in range(300):
        await log.say(2, DENY, first=number * 2)
    assert log.path.stat().st_size > 4 * LIMIT
    assert 1 <= len(begun) <= 5
    once = len(log.store.hand_over(_persist(1, _key(1), DENY))) * len(log.said)
    sizes = []
    for _ in range(200):
        await log.say(100, DENY)
        sizes.append(log.path.stat().st_size)
        if sizes[-1] < max(sizes):
            break
    assert once <= sizes[-1] < max(sizes)
    assert log.errors == []
    await log.close()
    log.check()


async def test_a_writer_that_ends_leaves_the_copy(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed in the middle, the log is what it was; what was copied is gone at the next start."""
    monkeypatch.setattr(compaction, "PAUSE_SECONDS", 0.2)
    log.open()
    await log.say(300, DENY)
    begin = time.monotonic()
    await log.close()
    assert time.monotonic() - begin < 1
    await asyncio.sleep(0.3)
    copy_of(log.path).write_bytes(b"half")
    log.check()
    assert not copy_of(log.path).exists()


async def test_a_disk_that_refuses_the_copy_keeps_the_log(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes go on into the log that is there."""
    log.open()

    def refuse(self: Compaction) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Compaction, "finish", refuse)
    await log.say(300, APPROVE)
    await log.say(5, DENY, first=500)
    assert log.errors == []
    monkeypatch.undo()
    await log.say(5, DENY, first=600)
    await log.close()
    log.check()


async def test_a_log_that_was_replaced_and_is_not_certain_ends_the_member(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is found after a crash must hold what is said from then on."""
    log.open()
    finish = Compaction.finish

    def half(self: Compaction) -> None:
        finish(self)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Compaction, "finish", half)
    for number in range(100):
        await log.say(5, APPROVE, first=number * 5)
        if log.errors:
            break
    assert [error.errno for error in log.errors] == [5]
    await log.close()
    log.check()


def test_every_moment_of_a_crash_leaves_a_whole_log(tmp_path: Path) -> None:
    """Before the last step the old log is there, after it the new one; both hold the denials."""
    directory = tmp_path / "votes"
    store.init(directory, OWNER)
    opened = VoteStore(directory, OWNER)
    path = opened.open_epoch(EPOCH)
    keys = [_key(number) for number in range(40)]
    with path.open("ab") as file:
        for number, key in enumerate(keys, start=1):
            judgement = DENY if number % 3 else APPROVE
            file.write(opened.hand_over(_persist(number, key, judgement)))
    upto = path.stat().st_size
    one = Compaction(path, upto)
    one.begin()
    with path.open("ab") as file:
        file.write(opened.hand_over(_persist(41, _key(99), DENY)))
    for finished in (False, True):
        if finished:
            one.finish()
            assert path.stat().st_size < upto
            assert os.listdir(directory).count(copy_of(path).name) == 0
        found = [record for record, _ in log_file.records(path)]
        assert len(found) == (28 if finished else 41)
    again = VoteStore(directory, OWNER)
    again.open_epoch(EPOCH)
    for number, key in enumerate([*keys, _key(99)], start=1):
        if number % 3:
            assert again.find(EPOCH, key) == DENY
