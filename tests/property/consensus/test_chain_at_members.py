"""Five members as they run, with disks: proposals, crashes, replays and liars in any order.

No member ever signs two records for one number, no two are certified, and all chains are one.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus import epoch as epochs
from quorate.consensus import history as histories
from quorate.consensus.epoch import Change, EpochRecord
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import EvidenceError
from quorate_consensus.chain_peers import Learning
from quorate_consensus.choice_file import Choice, ChoiceFile
from quorate_consensus.endorsing import Endorsing, EpochRefused
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.peer_session import PeerSession
from quorate_consensus.relay import Relay
from quorate_consensus.vote_key import VoteKey
from quorate_io import member_api
from quorate_io.member_api import GenesisAnswer, Proposal
from tests.fakes.ballots import SIGNATURES, Committee, digest

COMMITTEE = Committee()
GENESIS = COMMITTEE.epoch
WORKERS = ThreadPoolExecutor(1)
CANDIDATES = "ab"
members = st.sampled_from(COMMITTEE.names)
candidates = st.sampled_from(CANDIDATES)


class Unread:
    """A meter that nobody reads."""

    def epoch(self, number: int) -> None:
        """Ignore."""

    def proposed(self, outcome: str, reason: str) -> None:
        """Ignore."""


class Disk(ChoiceFile):
    """One that loses what it is given, or keeps it and the member ends before it hears so."""

    mode = "good"

    def keep(self, choice: Choice) -> None:
        if self.mode != "lost":
            super().keep(choice)
        if self.mode != "good":
            raise OSError(5, "Input/output error")


class Place:
    """One member, over its starts."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.start()

    def start(self) -> None:
        """As its process starts; what it held in memory is gone."""
        self.epochs = Epochs(GENESIS, ChainFiles(self.directory))
        seat, party = GENESIS.seat(self.name), COMMITTEE.parties[self.name]
        assert seat is not None
        self.disk = Disk(self.directory)
        key = VoteKey(seat, party.private, party.identity)
        self.endorsing = Endorsing(key, self.epochs, Relay(), WORKERS, Unread(), self.disk)

    def candidate(self, char: str) -> EpochRecord:
        """One of two records for the number after this member's newest."""
        head = self.epochs.head
        return msgspec.structs.replace(
            head.record,
            number=head.record.number + 1,
            previous=head.digest_text,
            change=Change.CANARIES,
            reason=f"deck {char}",
            canaries=digest(char),
        )


class Peer(PeerSession):
    """What another member says of its chain; a liar says ``lie`` after it, or instead of it."""

    def __init__(self, place: Place, lie: Sequence[CertifiedRecord] | None = None) -> None:
        self.place = place
        self.lie = lie

    async def get(
        self, member: str, path: str, query: tuple[tuple[str, str], ...], bytes_max: int
    ) -> bytes:
        assert path == member_api.GENESIS_PATH
        chain = self.place.epochs.after(int(dict(query).get(member_api.AFTER_PARAMETER, 0)))
        answer = GenesisAnswer(
            genesis={"of": "somebody else"},
            ca_certificates=("none",),
            chain=tuple(chain if self.lie is None else self.lie),
        )
        return member_api.encode(answer)


@dataclass
class World:
    """All members, and all that was ever signed."""

    folder: Path
    places: dict[str, Place] = field(default_factory=dict)
    asked: list[EpochRecord] = field(default_factory=list)
    signed: dict[str, dict[str, Endorsement]] = field(default_factory=dict)
    """By the record's digest, by member."""
    chosen: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    certified: dict[int, set[str]] = field(default_factory=dict)
    known: dict[str, CertifiedRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {name: Place(name, self.folder / name) for name in COMMITTEE.names}

    async def propose(self, name: str, record: EpochRecord, disk: str, admins: int) -> None:
        """To one member; if its disk fails it ends, and starts again."""
        place = self.places[name]
        place.disk.mode = disk
        self.asked.append(record)
        proposal = Proposal(record=record, admins=COMMITTEE.endorse(record, 0, admins).admins)
        answer = await place.endorsing.propose(proposal)
        await place.endorsing.stop()
        place.disk.mode = "good"
        if answer.endorsement is not None:
            assert admins >= 2
            found = epochs.open_epoch(record).digest_text
            self.signed.setdefault(found, {})[name] = answer.endorsement
            self.chosen.setdefault((name, record.number), set()).add(found)
        if disk != "good":
            place.start()

    async def certify(self, record: EpochRecord, name: str) -> None:
        """Show what was signed to one member: it counts with four signatures, and not with less."""
        found = epochs.open_epoch(record).digest_text
        by = tuple(self.signed.get(found, {}).values())
        whole = CertifiedRecord(record, by, COMMITTEE.endorse(record, 0, 2).admins)
        place, before = self.places[name], self.places[name].epochs.head
        try:
            await place.endorsing.show(whole)
        except EpochRefused:
            assert place.epochs.head is before
            return
        if place.epochs.head is not before:
            assert len(by) >= 4
            self.known[found] = whole
            self.certified.setdefault(record.number, set()).add(found)

    async def learn(self, name: str, peer: Peer) -> None:
        """One member asks another."""
        place = self.places[name]
        learning = Learning(peer, place.epochs, place.endorsing.take)
        await learning.look([peer.place.name])

    def check(self) -> None:
        """What holds whatever happens."""
        assert all(len(found) == 1 for found in self.chosen.values())
        assert all(len(found) == 1 for found in self.certified.values())
        chains = sorted((list(one.epochs.after(0)) for one in self.places.values()), key=len)
        longest = [one.record for one in chains[-1]]
        for chain in chains:
            assert [one.record for one in chain] == longest[: len(chain)]
            histories.follow(histories.begin(GENESIS), chain, SIGNATURES)


asks = st.tuples(
    st.just("ask"),
    members,
    candidates,
    st.sampled_from(["good", "good", "good", "lost", "untold"]),
    st.sampled_from([2, 2, 2, 1]),
)
rounds = st.tuples(st.just("round"), candidates, st.lists(members, unique=True, max_size=5))
replays = st.tuples(st.just("replay"), members, st.integers(0, 50))
shows = st.tuples(st.just("show"), members, st.integers(0, 50))
learns = st.tuples(st.just("learn"), members, members)
lies = st.tuples(st.just("lie"), members, members, st.sampled_from(["weak", "twisted", "gap"]))
restarts = st.tuples(st.just("restart"), members)
STEPS = st.lists(st.one_of(asks, rounds, replays, shows, learns, lies, restarts), max_size=16)


def lie(place: Place, kind: str) -> CertifiedRecord:
    """A record that is not certified: too few, signatures of another one, or of nobody's next."""
    record = place.candidate("c")
    whole = COMMITTEE.endorse(record, 5, 2)
    if kind == "weak":
        return msgspec.structs.replace(whole, members=whole.members[:3] * 4)
    changes = {"reason": "another"} if kind == "twisted" else {"number": record.number + 1}
    return msgspec.structs.replace(whole, record=msgspec.structs.replace(record, **changes))


async def happen(world: World, step: tuple[object, ...]) -> None:
    """One step."""
    match step:
        case ("ask", str(name), str(char), str(disk), int(admins)):
            await world.propose(name, world.places[name].candidate(char), disk, admins)
        case ("round", str(char), list(asked)):
            record = max(world.places.values(), key=number).candidate(char)
            for name in asked:
                await world.propose(name, record, "good", 2)
            for name in asked:
                await world.certify(record, name)
        case ("replay", str(name), int(index)) if world.asked:
            record = world.asked[index % len(world.asked)]
            await world.propose(name, record, "good", 2)
        case ("show", str(name), int(index)) if world.asked:
            await world.certify(world.asked[index % len(world.asked)], name)
        case ("learn", str(name), str(other)):
            await world.learn(name, Peer(world.places[other]))
            assert number(world.places[name]) >= number(world.places[other])
        case ("lie", str(name), str(other), str(kind)):
            before = world.places[name].epochs.head
            told = lie(world.places[name], kind)
            await world.learn(name, Peer(world.places[other], [told]))
            with pytest.raises(EvidenceError):
                await world.places[name].endorsing.show(told)
            assert world.places[name].epochs.head is before
        case ("restart", str(name)):
            before = world.places[name].epochs.head
            world.places[name].start()
            assert world.places[name].epochs.head == before


def number(place: Place) -> int:
    """Of the newest epoch that a member knows."""
    return place.epochs.head.record.number


async def run(steps: Sequence[tuple[object, ...]]) -> World:
    """All steps, from five members at the genesis."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for step in steps:
            await happen(world, step)
            world.check()
        return world


@pytest.mark.requirement("committee: at most one record is signed for each number")
@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_no_order_of_events_makes_two_chains(steps: list[tuple[object, ...]]) -> None:
    """Two candidates, crashes before and after a choice is kept, replays, restarts, lying peers."""
    asyncio.run(run(steps))


def test_the_steps_do_move_the_chain() -> None:
    """Lest the rules hold of a world in which nothing happens: two epochs open at all five."""
    names = list(COMMITTEE.names)
    steps = [("round", "a", names), ("round", "b", names[:4]), ("learn", "m4", "m0")]
    world = asyncio.run(run(steps))
    assert [number(place) for place in world.places.values()] == [2] * 5
    assert len(world.certified) == 2


def test_a_split_moves_nothing_until_it_is_asked_for_again() -> None:
    """Three for one and two for the other: none counts, over restarts; no mind is changed."""
    names = list(COMMITTEE.names)
    split = [("round", "a", names[:3]), ("round", "b", names[3:])]
    again = [*(("restart", name) for name in names), ("round", "a", names), ("round", "b", names)]
    world = asyncio.run(run([*split, *again]))
    assert [number(place) for place in world.places.values()] == [0] * 5
    assert world.certified == {}
