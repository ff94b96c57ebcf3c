"""Runs of clean canaries at a member: recomputed, the longest kept, for one epoch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quorate.consensus import clean_run
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.epoch import Change
from quorate.errors import InvalidInput
from quorate_consensus.accusations import EvidenceRefused
from quorate_consensus.clean_runs import CleanRuns
from quorate_consensus.epochs import Epochs
from tests.fakes.ballots import Canaried, digest

OTHERS = ["m0", "m1", "m2", "m3"]


class Place:
    """One member's room for runs of m4."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self.scene = Canaried(quarantined=["m4"])
        # Epoch 0 has nobody under quarantine in a cluster; here it spares a record.
        self.epochs = Epochs(self.scene.committee.epoch)
        self.room = CleanRuns(self.epochs, workers)

    def run(self, count: int, wrong: tuple[str, ...] = ()) -> bytes:
        """So many unsafe canaries."""
        results = (self.scene.result(n, wrong, silent=OTHERS) for n in range(count))
        return clean_run.encode(CleanRun("m4", tuple(results)))


@pytest.fixture
def place() -> Iterator[Place]:
    """A committee that committed to a deck."""
    with ThreadPoolExecutor(1) as workers:
        yield Place(workers)


async def test_the_longest_run_is_kept(place: Place) -> None:
    """Whoever shows it, in whatever order; of nobody else anything."""
    assert place.room.longest("m4") == b""
    for count, kept in ((3, 3), (5, 5), (2, 5)):
        answer = await place.room.show(place.run(count))
        assert (answer.member, answer.unsafe, answer.safe) == ("m4", kept, 0)
    assert place.room.longest("m4") == place.run(5)
    assert place.room.longest("m0") == b""


async def test_what_does_not_hold_up_is_refused(place: Place) -> None:
    """Nonsense, and a wrong answer among right ones."""
    with pytest.raises(InvalidInput):
        await place.room.show(b"x")
    with pytest.raises(EvidenceRefused):
        await place.room.show(place.run(3, ("m4",)))
    assert place.room.longest("m4") == b""


async def test_a_run_ends_with_its_epoch(place: Place) -> None:
    """Its votes name that one."""
    await place.room.show(place.run(3))
    committee = place.scene.committee
    record = committee.next_record(Change.POLICIES, policies=digest("c"))
    place.epochs.extend(committee.endorse(record, members=4, admins=2))
    assert place.room.longest("m4") == b""
    with pytest.raises(EvidenceRefused):
        await place.room.show(place.run(3))
