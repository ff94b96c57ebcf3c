"""Evidence at a member: kept if it convicts, one piece of each accused, for one epoch."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from quorate.consensus import quarantine
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import Change
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, QuorateError
from quorate_consensus.accusations import Accusations, EvidenceRefused
from quorate_consensus.epochs import Epochs
from tests.fakes.ballots import SIGNATURES, Canaried, Committee, digest

YES, NO = Verdict.APPROVE, Verdict.DENY


class Meter:
    """Counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def accused(self, outcome: str) -> None:
        self.counts[outcome] += 1


class Place:
    """One member's room for evidence."""

    def __init__(self, scene: Canaried, workers: ThreadPoolExecutor) -> None:
        self.scene, self.committee, self.meter = scene, scene.committee, Meter()
        self.epochs = Epochs(self.committee.epoch)
        self.room = Accusations(self.epochs, workers, self.meter)

    def pair(self, name: str, *, sequence: int = 2) -> bytes:
        """``name`` denied, then approved."""
        votes = self.committee.vote(name, NO), self.committee.vote(name, YES, sequence=sequence)
        return quarantine.encode(Equivocation(votes))

    def run(self, *wrong: str, count: int = 6) -> bytes:
        """``wrong`` failed so many canaries."""
        results = tuple(self.scene.result(n, wrong) for n in range(count))
        return quarantine.encode(Failures(wrong[0], NO, results))


@pytest.fixture
def place() -> Iterator[Place]:
    """A committee that committed to a deck."""
    with ThreadPoolExecutor(1) as workers:
        yield Place(Canaried(), workers)


@pytest.mark.requirement("committee: evidence is recomputed before it is kept")
async def test_what_convicts_is_kept_for_the_operator(place: Place) -> None:
    """Both kinds; nothing before, and the first accused by name goes first."""
    assert place.room.first() == b""
    assert (await place.room.show(place.run("m4"))).accused == "m4"
    assert (await place.room.show(place.pair("m2"))).accused == "m2"
    assert isinstance(quarantine.decode(place.room.first()), Equivocation)
    assert set(place.room.kept) == {"m2", "m4"}
    assert place.meter.counts == {"kept": 2}


async def test_one_piece_is_kept_of_each_accused(place: Place) -> None:
    """The first: members are asked about one record, and memory stays bounded."""
    first = place.run("m4")
    await place.room.show(first)
    for again in (first, place.pair("m4"), place.run("m4", count=8)):
        assert (await place.room.show(again)).accused == "m4"
    assert dict(place.room.kept) == {"m4": first}
    assert place.meter.counts == {"kept": 1, "known": 3}


@pytest.mark.requirement("committee: hostile evidence convicts no honest member")
async def test_what_convicts_nobody_is_refused(place: Place) -> None:
    """Too few, against somebody else, of another committee, of votes that go together."""
    run = quarantine.decode(place.run("m4"))
    framed = msgspec.structs.replace(run, member="m0")
    together = Equivocation(
        (place.committee.vote("m4", YES), place.committee.vote("m4", NO, sequence=2))
    )
    stranger = Committee()
    votes = stranger.vote("m4", NO), stranger.vote("m4", YES, sequence=2)
    for bad in (
        place.run("m4", count=5),
        quarantine.encode(framed),
        quarantine.encode(together),
        quarantine.encode(Equivocation(votes)),
    ):
        with pytest.raises(EvidenceRefused):
            await place.room.show(bad)
    assert not place.room.kept
    assert place.meter.counts == {"refuted": 4}


async def test_what_is_no_evidence_is_refused(place: Place) -> None:
    """Cut, of no kind, oversized: before anything is computed."""
    for bad, error in (
        (b"", InvalidInput),
        (place.pair("m4")[:-1], InvalidInput),
        (b"x" + place.pair("m4"), InvalidInput),
        (bytes(EVIDENCE_BYTES + 1), LimitExceeded),
    ):
        with pytest.raises(error):
            await place.room.show(bad)
    assert not place.room.kept


async def test_evidence_is_of_one_epoch(place: Place) -> None:
    """In the next one it is gone, and shown again it is refused."""
    old = place.run("m4")
    await place.room.show(old)
    record = place.committee.next_record(Change.POLICIES, policies=digest("c"))
    place.epochs.extend(place.committee.endorse(record, 4, 2))
    assert place.room.first() == b""
    with pytest.raises(EvidenceRefused):
        await place.room.show(old)


@pytest.mark.requirement("evidence beyond r is kept and told, and takes no vote away")
async def test_beyond_r_evidence_is_kept_and_no_record_follows() -> None:
    """One is away and r is one: the operator is shown it, people must act."""
    with ThreadPoolExecutor(1) as workers:
        place = Place(Canaried(quarantined=["m3"]), workers)
        proof = place.pair("m4")
        for _ in range(2):
            assert (await place.room.show(proof)).accused == "m4"
        assert place.room.first() == proof
        assert place.meter.counts == {"beyond": 1, "known": 1}
        with pytest.raises(QuorateError, match="r = 1") as refused:
            quarantine.propose(place.committee.epoch, quarantine.decode(proof), SIGNATURES)
        assert "committee replace" in refused.value.fix
        with pytest.raises(EvidenceRefused, match="no vote to lose"):
            await place.room.show(place.pair("m3"))
