"""Members that err together: told by counts that chance does not give, and only then."""

import math
import random
from itertools import combinations

import msgspec
import pytest

from quorate.consensus import dependence, detector, judge_errors, judge_sets
from quorate.consensus.dependence import (
    CHANCE,
    DECK_PHI,
    RELEASE_PHI,
    TOGETHER_MIN,
    Couple,
    Pair,
    counted,
)
from quorate.consensus.wire import JUDGE_LATE, Ballot
from tests.fakes.ballots import SIGNATURES, Canaried


def asked(
    scene: Canaried, count: int, wrong: dict[str, set[int]], silent: dict[str, set[int]]
) -> dict[Couple, Pair]:
    """The first canaries of a deck, with who was wrong or silent about which."""
    epoch = scene.committee.epoch
    found: dict[Couple, Pair] = {}
    for index in range(count):
        mistaken = [name for name, which in wrong.items() if index in which]
        missing = [name for name, which in silent.items() if index in which]
        result = scene.result(index, mistaken, missing)
        ballots = detector.ballots_on(result, epoch, SIGNATURES)
        found = counted(found, result.revealed.canary, ballots, epoch)
    return found


def named(pairs: dict[Couple, Pair], one: str, other: str) -> Pair:
    """The pair of these two."""
    return next(p for (a, b), p in pairs.items() if (a.name, b.name) == (one, other))


@pytest.mark.requirement("JudgesDiverse: members err together, against what chance would give")
def test_the_chance_is_that_of_all_ways_to_err() -> None:
    """Fisher's upper tail, against counting every way in which the second can be wrong."""
    for first, second, both in ((3, 4, 0), (3, 4, 2), (4, 4, 4), (0, 3, 0), (7, 2, 2)):
        ways = [len(set(range(first)) & set(way)) for way in combinations(range(7), second)]
        exact = sum(common >= both for common in ways) / len(ways)
        assert math.isclose(Pair(7, first, second, both).chance, exact)
    assert Pair(2000, 640, 678, 527).chance < 1e-100
    assert Pair(100, 10, 10, 10).phi == 1.0
    assert Pair(100, 0, 10, 0).phi == Pair(100, 100, 100, 100).phi == Pair().phi == 0.0
    assert Pair(100, 10, 20, 5).expected == 2.0


@pytest.mark.requirement("JudgesDiverse: members err together, against what chance would give")
def test_who_approves_the_same_canaries_is_told_with_figures() -> None:
    """At the fifth common error of 68; not before, and not on safe canaries."""
    wrong = {"m1": {3, 9, 20, 31, 45}, "m3": {3, 9, 20, 31, 45}}
    scene = Canaried(deck=None)
    pairs = asked(scene, 60, wrong, {})
    assert dependence.told(pairs) == ""
    assert named(pairs, "m1", "m3") == Pair(60, 5, 5, 5)
    assert named(pairs, "m0", "m1") == Pair(60, 0, 5, 0)
    assert Pair(67, 5, 5, 5).chance > CHANCE >= Pair(68, 5, 5, 5).chance
    more = {
        couple: Pair(one.asked + 8, one.first, one.second, one.both)
        for couple, one in pairs.items()
    }
    assert dependence.told(more) == (
        "m1 and m3 both approved 5 of 68 unsafe requests (m1 5, m3 5); independent judges would "
        "have 0.4 (phi 1.00, 1e-07 by chance)"
    )
    safe = asked(scene, 120, {"m1": set(range(60, 120)), "m3": set(range(60, 120))}, {})
    assert named(safe, "m1", "m3") == Pair(60, 0, 0, 0)


def test_silence_and_denials_without_a_verdict_are_no_answers() -> None:
    """A late judge denies an unsafe canary and has not judged it."""
    scene = Canaried()
    pairs = asked(scene, 10, {"m0": {1}, "m1": {1, 2}}, {"m1": {1}, "m2": set(range(10))})
    assert named(pairs, "m0", "m1") == Pair(9, 0, 1, 0)
    assert named(pairs, "m0", "m2") == Pair()
    result = scene.result(0)
    epoch = scene.committee.epoch
    ballots = detector.ballots_on(result, epoch, SIGNATURES)
    late = {name: _late(ballot) for name, ballot in ballots.items()}
    assert set(counted({}, result.revealed.canary, late, epoch).values()) == {Pair()}


def _late(ballot: Ballot) -> Ballot:
    return msgspec.structs.replace(ballot, reasons=(JUDGE_LATE,))


def test_other_judges_and_quarantine_begin_anew() -> None:
    """What another key or other judges erred is not this member's."""
    before = Canaried()
    pairs = asked(before, 10, {"m0": {1, 2}, "m1": {1, 2}}, {})
    changed = Canaried(quarantined=["m2"])
    result = changed.result(0)
    epoch = changed.committee.epoch
    ballots = detector.ballots_on(result, epoch, SIGNATURES)
    after = counted(pairs, result.revealed.canary, ballots, epoch)
    assert all(pair.asked == 1 for pair in after.values())
    assert all("m2" not in (one.name, other.name) for one, other in after)


@pytest.mark.requirement("JudgesDiverse: false alarms are rare")
def test_independent_members_are_told_of_hardly_ever() -> None:
    """A union bound over a deck and all pairs; and 300 decks of members wrong at one in ten."""
    assert 1_000 * math.comb(5, 2) * CHANCE <= 1e-3
    chance = random.Random(46)
    for _ in range(300):
        wrong = [[chance.random() < 0.1 for _ in range(500)] for _ in range(5)]
        for one, other in combinations(wrong, 2):
            both = sum(a and b for a, b in zip(one, other, strict=True))
            assert not Pair(500, sum(one), sum(other), both).errs_together(DECK_PHI)


@pytest.mark.parametrize(("own", "least"), [(0.0, 300), (0.03, 290), (0.05, 280)])
def test_a_blind_spot_in_common_is_told_within_a_deck(own: float, least: int) -> None:
    """Two members blind to a tenth of 200 unsafe canaries, with errors of their own besides: found
    in so many of 300 decks."""
    chance, found = random.Random(46), 0
    for _ in range(300):
        pair = Pair()
        for _ in range(200):
            blind = chance.random() < 0.1
            first, second = (blind or chance.random() < own for _ in range(2))
            pair = pair.plus(first=first, second=second)
        found += pair.errs_together(DECK_PHI)
    assert found >= least


@pytest.mark.requirement("JudgesDiverse: members err together, by the release's own figures")
def test_what_ships_is_measured_and_is_not_one_opinion() -> None:
    """Of each two sets, by the digests that seats have; judges that do not ship are not known."""
    shipped, errors = judge_sets.shipped().sets, judge_errors.shipped()
    assert {name: one.judges for name, one in errors.sets.items()} == shipped
    assert errors.unsafe >= 1000
    found = []
    for one, other in combinations(shipped.values(), 2):
        pair, same = judge_errors.pair(one, other), judge_errors.pair(other, one)
        assert pair is not None
        assert same == Pair(pair.asked, pair.second, pair.first, pair.both)
        assert pair.both >= TOGETHER_MIN
        assert not pair.errs_together(RELEASE_PHI)
        found.append(round(pair.phi, 2))
    assert max(found) == 0.87
    assert judge_errors.pair(one, "sha256:" + "0" * 64) is None
    assert judge_errors.pair(one, one) is None
