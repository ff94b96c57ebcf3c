"""A member's voting through the epochs: with its key, by its judges, or not at all."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus import judge_sets, signing, wire
from quorate.consensus.epoch import Change, Epoch
from quorate.consensus.freeze import Target
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.thresholds import PRESETS, Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Vote
from quorate.errors import InvalidInput, SubjectMismatch
from quorate_consensus.epochs import Epochs
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.relay import Relay
from quorate_consensus.settings import Settings, parse_arguments
from quorate_consensus.vote_key import VoteKey
from quorate_consensus.votes import store
from quorate_consensus.voting_metrics import VotingMetrics
from quorate_consensus.voting_setup import Deciding, Known, owner, panel
from quorate_io.clock import SystemClock
from tests.fakes.ballots import Committee, identity

SET = "tools-history-rules"
FILES = ["serve", "--genesis", "g", "--key", "k", "--token-keys", "t", "--issuer", "i"]
FILES += ["--tls-name", "member-0.test"]


class Room:
    """Member m0 of a committee, as it is put together in its process."""

    def __init__(self, directory: Path) -> None:
        self.committee = Committee(PRESETS["standard"])
        self.seat_with(judges=judge_sets.digest_of_set(SET))
        self.directory = directory
        self.epochs = Epochs(self.committee.epoch)
        self.deciding: Deciding | None = None

    def seat_with(self, **changed: str) -> None:
        """Open genesis with another seat for m0."""
        record = self.committee.epoch.record
        seats = self.committee.seats(m0=changed)
        self.committee.open(msgspec.structs.replace(record, seats=seats))

    @property
    def known(self) -> Known:
        """What the member is started with."""
        party = self.committee.parties["m0"]
        seat = self.committee.epoch.seat("m0")
        assert seat is not None
        key = VoteKey(seat, party.private, party.identity)
        return Known(self.epochs, key, Relay(), SystemClock(), None, FailedGates())

    def settings(self, *extra: str) -> Settings:
        """With the store and the judges of the seat."""
        return parse_arguments(
            [*FILES, "--store", str(self.directory), "--epochs", "e", "--judges", SET, *extra]
        )

    def init(self) -> None:
        """Make the store."""
        store.init(self.directory, owner(self.epochs, self.known.identity))

    def build(self, *extra: str) -> Deciding:
        """Put it together."""
        meter = VotingMetrics(CollectorRegistry())
        return Deciding(self.settings(*extra), self.known, meter)

    def extend(self, **seats: dict[str, object]) -> Epoch:
        """A later epoch is certified, with these fields of seats, and the member hears of it."""
        change = Change.MEMBERSHIP if seats else Change.POLICIES
        fields = {"seats": self.committee.seats(**seats)} if seats else {"policies": next_digest()}
        record = self.committee.next_record(change, **fields)
        certified: CertifiedRecord = self.committee.endorse(record, members=5, admins=2)
        self.epochs.extend(certified)
        return self.committee.open(record)


_digests = iter(range(10_000))


def next_digest() -> str:
    """Another digest each time."""
    return f"sha256:{next(_digests):064x}"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A member with a store."""
    made = Room(tmp_path / "votes")
    made.init()
    return made


def ask(epoch: Epoch) -> bytes:
    """An ask in an epoch that any panel denies: it is no request."""
    return wire.encode(
        Ask(wire.VERSION, Tier.FAST, epoch.digest, os.urandom(16), bytes(32), 1_000, b"{}")
    )


async def answer(deciding: Deciding, epoch: Epoch) -> tuple[Vote, Ballot] | str:
    """The vote in ``epoch`` with its ballot, or why there is none."""
    assert deciding.voter is not None
    said = wire.decode_answer(await deciding.voter.ask(ask(epoch), Target({})))
    if isinstance(said, Abstention):
        return said.reason
    ballot, _ = signing.verify_vote(said, epoch, KeySignatures())
    return said, ballot


@pytest.fixture
async def deciding(room: Room) -> AsyncIterator[Deciding]:
    """The member as it runs."""
    made = room.build()
    async with made.running():
        jobs = [asyncio.create_task(job) for job in made.jobs()]
        yield made
        for job in jobs:
            job.cancel()


async def settled() -> None:
    """Let the member go on to the next epoch."""
    await asyncio.sleep(0.2)


@pytest.mark.requirement("short-lived vote keys: delegated per incarnation and epoch")
async def test_a_later_epoch_is_delegated_anew(room: Room, deciding: Deciding) -> None:
    """Same incarnation and vote key, another delegation; the epoch before is over."""
    genesis = room.committee.epoch
    first = await answer(deciding, genesis)
    later = room.extend()
    await settled()
    second = await answer(deciding, later)
    assert not isinstance(first, str)
    assert not isinstance(second, str)
    one, two = (wire.decode(found[0].delegation.body, wire.Delegation) for found in (first, second))
    assert (one.incarnation, one.vote_key) == (two.incarnation, two.vote_key)
    assert (one.epoch, two.epoch) == (genesis.digest, later.digest)
    assert second[1].sequence == first[1].sequence + 1
    assert await answer(deciding, genesis) == "OtherEpoch"


async def test_an_epoch_that_leaves_the_member_out_silences_it(
    room: Room, deciding: Deciding
) -> None:
    """Another key or other judges in its seat: it says nothing, until a later epoch names its own
    again. A quarantine leaves it voting, and its votes count for nothing."""
    right = judge_sets.digest_of_set(SET)
    key = room.committee.parties["m0"].identity.public_key.pem
    for wrong in ({"judges": judge_sets.digest_of_set("all")}, {"key": identity().public_key.pem}):
        out = room.extend(m0=dict(wrong))
        await settled()
        assert await answer(deciding, out) == "NotVoting"
        back = room.extend(m0={"judges": right, "key": key})
        await settled()
        assert not isinstance(await answer(deciding, back), str)


async def test_epochs_that_follow_fast_end_in_the_last(room: Room, deciding: Deciding) -> None:
    """The member votes in the newest, whatever it skipped."""
    for _ in range(5):
        last = room.extend()
    await settled()
    assert not isinstance(await answer(deciding, last), str)


async def test_each_start_is_another_incarnation(room: Room) -> None:
    """With another vote key; each higher than the one before."""
    found = []
    for _ in range(3):
        deciding = room.build()
        async with deciding.running():
            said = await answer(deciding, room.committee.epoch)
        assert not isinstance(said, str)
        found.append(wire.decode(said[0].delegation.body, wire.Delegation))
    numbers = [one.incarnation for one in found]
    assert numbers == sorted(set(numbers))
    assert len({one.vote_key for one in found}) == 3


@pytest.mark.requirement("the member refuses to start with a key and no store")
async def test_starts_that_are_refused(tmp_path: Path) -> None:
    """No store, another's, other judges than the seat names, a chain that ends before the votes, a
    log that is damaged."""
    room = Room(tmp_path / "votes")
    with pytest.raises(InvalidInput, match="there is no vote store"):
        room.build()
    assert not room.directory.exists()
    room.init()
    with pytest.raises(SubjectMismatch, match="the seat of m0 names judges"):
        room.build("--judges", "all")
    room.extend()
    room.build()
    room.epochs = Epochs(room.epochs.genesis)
    with pytest.raises(InvalidInput, match="has voted in epoch 1"):
        room.build()
    other = Room(room.directory)
    with pytest.raises(InvalidInput, match="store of another"):
        other.build()


async def test_a_store_is_made_where_that_was_said(tmp_path: Path) -> None:
    """Once; what is there is used, and never made over."""
    room = Room(tmp_path / "votes")
    room.build("--make-store")
    before = sorted(tmp_path.joinpath("votes").iterdir())
    room.build("--make-store")
    assert set(before) <= set(tmp_path.joinpath("votes").iterdir())
    (room.directory / "member").unlink()
    with pytest.raises(InvalidInput, match="there is no vote store"):
        room.build("--make-store")


async def test_a_damaged_log_starts_nothing(room: Room) -> None:
    """What it said is not known, so it says nothing more."""
    (room.directory / f"{room.committee.epoch.digest.hex()}.votes").write_bytes(b"x" * 300_000)
    with pytest.raises(InvalidInput):
        async with room.build().running():
            pass


def test_the_judges_are_those_of_the_set(room: Room) -> None:
    """Their digest is the one that ships, which installations write into seats."""
    meter = VotingMetrics(CollectorRegistry())
    with ThreadPoolExecutor(1) as workers:
        for name in judge_sets.shipped().sets:
            voting = room.settings().voting
            assert voting is not None
            made = panel(replace(voting, judges=name), room.known, workers, meter)
            for one in made:
                assert f"sha256:{one.digest.hex()}" == judge_sets.digest_of_set(name)


async def test_another_release_is_pinned(room: Room, tmp_path: Path) -> None:
    """A directory that does not hash to the digest is no release."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "release.json").write_bytes(b"{}")
    with pytest.raises(SubjectMismatch):
        room.build("--judges-release", str(tmp_path / "r"), "--judges-release-digest", "sha256:0")


async def test_without_a_store_nothing_is_kept(room: Room) -> None:
    """The member abstains, and what is frozen ends with the process."""
    settings = parse_arguments([*FILES])
    deciding = Deciding(settings, room.known, VotingMetrics(CollectorRegistry()))
    assert deciding.voter is None
    async with deciding.running():
        (job,) = deciding.jobs()
        job.close()
