"""Equivocation: the pairs that no honest member signs, found in whatever order they come."""

import itertools
from typing import Any

import msgspec
import pytest

from quorate.consensus import equivocation
from quorate.consensus.equivocation import REMEMBERED_MAX, Equivocation, Watch, contradicts
from quorate.consensus.signing import verify_vote
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate.errors import QuorateError, SignatureError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Committee

C = Committee()
YES, NO = Verdict.APPROVE, Verdict.DENY


def ballot(verdict: Verdict, sequence: int, **changes: Any) -> Ballot:
    """A ballot of m0 at that place."""
    return C.ballot("m0", verdict, sequence=sequence, **changes)


PAIRS: list[tuple[str, Ballot, Ballot, bool]] = [
    ("denied, then approved", ballot(NO, 1), ballot(YES, 2), True),
    ("approved, then denied: it tightened", ballot(YES, 1), ballot(NO, 2), False),
    ("denied twice", ballot(NO, 1), ballot(NO, 2), False),
    ("approved twice", ballot(YES, 1), ballot(YES, 2), False),
    ("one place, two verdicts", ballot(YES, 1), ballot(NO, 1), True),
    ("one place, two nonces", ballot(YES, 1), ballot(YES, 1, nonce=b"m" * 16), True),
    ("one place, two scores", ballot(YES, 1), ballot(YES, 1, score=11), True),
    ("one place, two pasts", ballot(YES, 1), ballot(YES, 1, previous=b"p" * 32), True),
    ("the same ballot", ballot(YES, 1), ballot(YES, 1), False),
    ("another request", ballot(NO, 1), ballot(YES, 2, request=b"r" * 32), False),
    ("another tier", ballot(NO, 1), ballot(YES, 2, tier=Tier.FAST), False),
    ("another epoch", ballot(NO, 1), ballot(YES, 2, epoch=b"e" * 32), False),
    ("another member", ballot(NO, 1), C.ballot("m1", YES, sequence=2), False),
    ("for other nonces", ballot(NO, 1, nonce=b"m" * 16), ballot(YES, 2), True),
    ("for other audiences", ballot(NO, 1, audience=b"b" * 32), ballot(YES, 2), True),
    ("after a restart", ballot(NO, 9), ballot(YES, 1, incarnation=2), True),
    ("before a restart", ballot(YES, 9), ballot(NO, 1, incarnation=2), False),
    ("one number, two lives", ballot(YES, 1), ballot(NO, 1, incarnation=2), False),
    ("hard or not", ballot(NO, 1, hard=True), ballot(NO, 2), False),
]


@pytest.mark.requirement("committee: tightening is no equivocation, loosening is")
@pytest.mark.parametrize(
    ("one", "other", "convicts"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS]
)
def test_which_pairs_contradict(one: Ballot, other: Ballot, convicts: bool) -> None:
    """Whichever is shown first."""
    assert contradicts(one, other) is convicts
    assert contradicts(other, one) is convicts


@pytest.mark.requirement("committee: an equivocation is its own proof")
def test_a_proof_convicts_whoever_signed_it() -> None:
    """Whoever brings it, in either order; votes that go together, or are forged, convict nobody."""
    no, yes = C.vote("m0", NO), C.vote("m0", YES, sequence=2)
    for votes in ((no, yes), (yes, no)):
        assert equivocation.verify(Equivocation(votes), C.epoch, SIGNATURES) == "m0"
    forged = Vote(type(yes.ballot)(yes.ballot.body, no.ballot.signature), yes.delegation)
    other = Committee()
    refused: list[tuple[tuple[Vote, Vote], type[QuorateError]]] = [
        ((no, no), SubjectMismatch),
        ((no, C.vote("m1", YES, sequence=2)), SubjectMismatch),
        ((C.vote("m0", YES), C.vote("m0", NO, sequence=2)), SubjectMismatch),
        ((no, forged), SignatureError),
        ((no, other.vote("m0", YES, sequence=2)), SubjectMismatch),
        ((no, C.vote("m0", YES, sequence=2, epoch=other.epoch.digest)), SubjectMismatch),
    ]
    for votes, error in refused:
        with pytest.raises(error):
            equivocation.verify(Equivocation(votes), C.epoch, SIGNATURES)


def seen(watch: Watch, ballots: tuple[Ballot, ...]) -> list[Equivocation]:
    """The proofs ``watch`` found in ``ballots``, in this order."""
    found = (watch.saw(C.sign(one), one) for one in ballots)
    return [proof for proof in found if proof is not None]


STORY = (ballot(YES, 1), ballot(NO, 2), ballot(NO, 3), ballot(YES, 4, request=b"r" * 32))


def test_an_honest_story_convicts_in_no_order() -> None:
    """Approved, tightened, denied again, and another request: nothing to find, however it is heard
    and however often."""
    for order in itertools.permutations(STORY):
        assert seen(Watch(), (*order, *order)) == []


@pytest.mark.parametrize(
    "lie",
    [
        ballot(YES, 5),
        ballot(YES, 1, incarnation=2),
        ballot(YES, 2),
        ballot(NO, 4, request=b"r" * 32),
    ],
    ids=["loosened", "after a restart", "same place", "same place, other request"],
)
def test_one_lie_is_found_in_every_order(lie: Ballot) -> None:
    """Among four honest ballots, wherever it comes: found, and the proof convicts."""
    for order in itertools.permutations((*STORY, lie)):
        proofs = seen(Watch(), order)
        assert proofs
        for proof in proofs:
            assert equivocation.verify(proof, C.epoch, SIGNATURES) == "m0"


def test_every_lie_in_every_short_story_is_found() -> None:
    """All stories of three ballots of one request, over verdicts and places: the watch finds a
    proof exactly where two of them contradict."""
    options = [ballot(verdict, place) for verdict in (YES, NO) for place in (1, 2, 3)]
    for story in itertools.product(options, repeat=3):
        lies = any(contradicts(a, b) for a, b in itertools.combinations(story, 2))
        assert bool(seen(Watch(), story)) == lies


def test_members_are_watched_apart() -> None:
    """What one denied another may approve."""
    watch = Watch()
    for name, verdict in (("m0", NO), ("m1", YES), ("m2", NO)):
        one = C.ballot(name, verdict)
        assert watch.saw(C.sign(one), one) is None


def test_memory_is_bounded_and_keeps_the_newest() -> None:
    """Of each member REMEMBERED_MAX are kept; a lie within them is found, one about a request that
    is long forgotten is not."""
    watch = Watch()
    vote = C.sign(ballot(NO, 1))
    count = REMEMBERED_MAX
    for place in range(1, count + 1):
        watch.saw(vote, ballot(NO, place, request=place.to_bytes(32, "big")))
    assert sum(map(len, watch._kept.values())) == REMEMBERED_MAX
    newest = ballot(YES, count + 1, request=count.to_bytes(32, "big"))
    oldest = ballot(YES, count + 2, request=(1).to_bytes(32, "big"))
    assert watch.saw(vote, newest) is not None
    assert watch.saw(vote, oldest) is None


def test_a_genuine_vote_round_trips_into_its_proof() -> None:
    """Evidence holds the votes as they were signed."""
    no, yes = C.vote("m0", NO), C.vote("m0", YES, sequence=2)
    watch = Watch()
    watch.saw(no, verify_vote(no, C.epoch, SIGNATURES)[0])
    proof = watch.saw(yes, verify_vote(yes, C.epoch, SIGNATURES)[0])
    assert proof == Equivocation((no, yes))
    data = msgspec.msgpack.encode(proof)
    assert msgspec.msgpack.decode(data, type=Equivocation) == proof
