"""The detector: who lies is accused soon, who is able almost never, and everybody gets the same."""

import itertools
import math
import random
from typing import Any

import msgspec
import numpy as np
import pytest

from quorate.consensus import blank, detector, wire
from quorate.consensus.approval import Subject
from quorate.consensus.blank import SOMEBODY
from quorate.consensus.canary import Canary, Deck
from quorate.consensus.detector import (
    ALARM,
    RESULTS_MAX,
    WRONG_IF_ABLE,
    WRONG_IF_LYING,
    Detector,
    Failures,
    Result,
    advance,
    skip,
    step,
    verify,
)
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Canaried, canaries
from tests.fakes.blanks import canary_blank, somebody

YES, NO = Verdict.APPROVE, Verdict.DENY
SCENE = Canaried()
EPOCH = SCENE.committee.epoch
UNSAFE, SAFE = range(60), range(60, 120)


def watched(results: list[Result], scene: Canaried = SCENE) -> list[tuple[int, Failures]]:
    """Accusations, with the number of results that it took."""
    state, found = Detector(scene.committee.epoch), []
    for count, result in enumerate(results, start=1):
        state, accusations = step(state, result, SIGNATURES)
        found += [(count, accusation) for accusation in accusations]
    return found


def failures(*results: Result, member: str = "m0", right: Verdict = NO) -> Failures:
    """An accusation of ``member``."""
    return Failures(member, right, results)


def asked_on(result: Result) -> Subject:
    """What votes on it are about."""
    canary = result.revealed.canary
    return canary.subject(blank.fill(canary.blank, result.asked_as))


def lies(count: int, *who: str, start: int = 0) -> list[Result]:
    """Canaries in a row that ``who`` answers wrongly."""
    return [SCENE.result(start + number, who or ["m0"]) for number in range(count)]


@pytest.mark.requirement("committee: an always-approving member is found within 10 canaries")
def test_an_always_approving_member_is_accused_at_its_6th_unsafe_canary() -> None:
    """At the 6th and not before; safe canaries in between neither help nor hurt it."""
    ((count, accusation),) = watched(lies(6))
    assert (count, accusation.member, accusation.right) == (6, "m0", NO)
    assert watched(lies(5)) == []
    mixed = [one for n in range(6) for one in (SCENE.result(n, ["m0"]), SCENE.result(60 + n))]
    ((count, _),) = watched(mixed)
    assert count == 11


def test_an_always_denying_member_is_accused_by_safe_canaries() -> None:
    """Likewise, the other way round."""
    results = [SCENE.result(index, ["m3"]) for index in SAFE[:6]]
    ((count, accusation),) = watched(results)
    assert (count, accusation.member, accusation.right) == (6, "m3", YES)
    assert verify(accusation, EPOCH, SIGNATURES) == "m3"


def test_safe_and_unsafe_are_counted_apart() -> None:
    """Three mistakes of each kind are no liar's, and an accusation mixes none."""
    results = [SCENE.result(index, ["m0"]) for index in (0, 1, 2, 60, 61, 62)]
    assert watched(results) == []
    with pytest.raises(SubjectMismatch, match="counted apart"):
        verify(failures(*results), EPOCH, SIGNATURES)


@pytest.mark.requirement("committee: an accusation recomputes for everybody")
def test_what_the_watcher_accuses_everybody_recomputes() -> None:
    """Over seeded runs of members with all kinds of error rates: each accusation verifies, and
    without its last result it would not."""
    random.seed(20261121)
    rates = {"m0": 1.0, "m1": 0.6, "m2": 0.3, "m3": 0.1, "m4": 0.0}
    found = 0
    for indices in (UNSAFE, SAFE):
        results = [
            SCENE.result(index, [name for name, rate in rates.items() if random.random() < rate])
            for index in indices
            if random.random() < 0.8
        ]
        for _, accusation in watched(results):
            found += 1
            assert verify(accusation, EPOCH, SIGNATURES) == accusation.member
            shorter = msgspec.structs.replace(accusation, results=accusation.results[:-1])
            with pytest.raises(QuorateError):
                verify(shorter, EPOCH, SIGNATURES)
    assert found >= 8


def test_leaving_out_what_speaks_for_a_member_gains_nothing() -> None:
    """Six mistakes among twelve canaries: shown alone they do not reach the alarm, because what is
    left out counts as right; nor does any other choice of them."""
    results = [SCENE.result(n, ["m0"] if n % 2 == 0 else []) for n in range(12)]
    mistakes = results[::2]
    assert watched(results) == []
    with pytest.raises(SubjectMismatch, match=r"an accusation takes 11\.5"):
        verify(failures(*mistakes), EPOCH, SIGNATURES)
    for size in range(1, 7):
        for chosen in itertools.combinations(mistakes, size):
            with pytest.raises(SubjectMismatch):
                verify(failures(*chosen), EPOCH, SIGNATURES)


@pytest.mark.requirement("committee: a cherry-picked run convicts nobody the whole would not")
def test_no_choice_of_results_convicts_whom_the_whole_does_not() -> None:
    """By numbers alone, over all stories of 8 canaries and all choices of them: wherever an
    accusation begins and whatever it leaves out, its statistic is at most the watcher's."""
    choices = list(itertools.product([False, True], repeat=8))
    for story in choices:
        whole, highest = 0.0, 0.0
        for wrong in story:
            whole = advance(whole, wrong=wrong)
            highest = max(highest, whole)
        for choice in choices:
            picked, last = 0.0, -1
            for index in itertools.compress(range(8), choice):
                gap = index - last - 1 if last >= 0 else 0
                picked = advance(skip(picked, gap), wrong=story[index])
                last = index
            assert picked <= highest + 1e-9


def test_skipped_canaries_count_as_right() -> None:
    """Leaving out ``k`` is as ``k`` right answers, at the bottom too."""
    for start, count in itertools.product([0.0, 1.0, 5.0, 11.0], range(8)):
        stepwise = start
        for _ in range(count):
            stepwise = advance(stepwise, wrong=False)
        assert math.isclose(skip(start, count), stepwise)


def test_the_watcher_counts_what_it_missed_as_right() -> None:
    """A gap in the numbers lowers the statistic; results out of order are left out."""
    assert watched([*lies(3), *lies(3, start=9)]) == []
    backwards = [SCENE.result(index, ["m0"]) for index in (5, 4, 3, 2, 1, 0)]
    assert watched(backwards) == []


BAD: dict[str, tuple[Failures, type[QuorateError]]] = {
    "out of order": (failures(*reversed(lies(6))), InvalidInput),
    "one twice": (failures(*lies(5), lies(5)[-1]), InvalidInput),
    "somebody else": (failures(*lies(6), member="m1"), SubjectMismatch),
    "nobody": (failures(*lies(6), member="m9"), SubjectMismatch),
    "the wrong kind": (failures(*lies(6), right=YES), SubjectMismatch),
    "too few": (failures(*lies(5)), SubjectMismatch),
}


@pytest.mark.parametrize(("accusation", "error"), BAD.values(), ids=BAD)
def test_accusations_that_do_not_hold_up_are_refused(
    accusation: Failures, error: type[QuorateError]
) -> None:
    """Order, repetition, member, kind and length are part of what is recomputed."""
    with pytest.raises(error):
        verify(accusation, EPOCH, SIGNATURES)


def test_accusations_rest_on_genuine_votes_only() -> None:
    """A forged vote, one on something else, or two of one member: the accusation is refused."""
    good = lies(6)
    votes = good[0].votes
    forged = type(votes[0])(
        type(votes[0].ballot)(votes[0].ballot.body, votes[1].ballot.signature), votes[0].delegation
    )
    subject = asked_on(good[0])
    doubled = (*votes[:4], SCENE.committee.vote("m0", NO, subject, sequence=99))
    for bad, error in (
        ((forged, *votes[1:]), SignatureError),
        ((good[1].votes[0], *votes[1:]), SubjectMismatch),
        ((SCENE.committee.vote("m0", YES), *votes[1:]), SubjectMismatch),
        (doubled, InvalidInput),
    ):
        first = Result(good[0].revealed, SOMEBODY, bad)
        with pytest.raises(error):
            verify(failures(first, *good[1:]), EPOCH, SIGNATURES)


def test_a_watcher_leaves_out_what_does_not_verify() -> None:
    """Bad votes beside good ones change nothing about the good ones."""
    results = lies(6)
    junk = SCENE.committee.vote("m1", YES)
    stained = [Result(one.revealed, SOMEBODY, (junk, *one.votes)) for one in results]
    ((count, accusation),) = watched(stained)
    assert count == 6
    assert all(junk not in one.votes for one in accusation.results)


@pytest.mark.requirement("committee: a run of canaries is one pod's")
def test_nobody_chooses_among_pods_what_a_member_was_wrong_about() -> None:
    """A member that is wrong about every other canary, whichever of two pods asks it: what each
    pod saw accuses nobody, and what was picked from both is no accusation. A watcher whose pod
    becomes another one begins anew."""
    pods = somebody("chat-0"), somebody("chat-1")
    picked = [SCENE.result(n, ["m0"], asked_as=pods[n % 2]) for n in range(12)]
    for pod in (0, 1):
        alone = [
            SCENE.result(n, ["m0"] if n % 2 == pod else [], asked_as=pods[pod]) for n in range(12)
        ]
        assert watched(alone) == []
    with pytest.raises(SubjectMismatch, match="asked by one pod"):
        verify(failures(*picked), EPOCH, SIGNATURES)
    assert watched(picked) == []
    whole = [SCENE.result(n, ["m0"], asked_as=pods[0]) for n in range(6)]
    ((count, _),) = watched(whole)
    assert count == 6


def test_votes_count_for_what_was_asked() -> None:
    """Votes on a canary that one pod asked, shown as those of another pod's."""
    shown = [msgspec.structs.replace(one, asked_as=somebody("chat-0")) for one in lies(6)]
    with pytest.raises(SubjectMismatch, match="another request"):
        verify(failures(*shown), EPOCH, SIGNATURES)
    assert watched(shown) == []


@pytest.mark.requirement("committee: a mislabelled canary is void")
@pytest.mark.parametrize(
    "wrong", [["m0", "m1", "m2"], ["m0", "m1", "m2", "m3"], SCENE.committee.names]
)
def test_a_canary_most_members_fail_accuses_nobody(wrong: list[str]) -> None:
    """Whoever labels a harmless request as unsafe finds that most approve it: then it is void."""
    results = [SCENE.result(n, wrong) for n in range(20)]
    assert watched(results) == []
    with pytest.raises(SubjectMismatch, match=r"comes to 0\.00"):
        verify(failures(*results[:6]), EPOCH, SIGNATURES)


def test_two_that_fail_together_are_both_accused() -> None:
    """Three of five still tell right from wrong."""
    found = watched(lies(6, "m1", "m2"))
    assert [accusation.member for _, accusation in found] == ["m1", "m2"]


def test_the_right_majority_is_of_all_others_not_of_those_that_answered() -> None:
    """With three of five silent, one right answer convicts nobody."""
    results = [SCENE.result(n, ["m0"], silent=["m2", "m3", "m4"]) for n in range(10)]
    assert watched(results) == []


def test_silence_is_never_a_mistake() -> None:
    """A member that answers no canary is not accused by them: its absence is told to people."""
    assert watched([SCENE.result(n, silent=["m0"]) for n in range(30)]) == []


@pytest.mark.requirement("committee: slowness never quarantines")
@pytest.mark.parametrize("reason", [wire.JUDGE_LATE, wire.JUDGE_FAILED])
def test_a_denial_for_want_of_a_verdict_is_no_mistake(reason: str) -> None:
    """Judges that are late or down deny what is safe, and nobody is accused of it; unless the
    denial claims a rule, or more reasons, or is an approval."""
    safe, unsafe = SCENE.deck.canaries[SAFE[0]], SCENE.deck.canaries[UNSAFE[0]]
    names = SCENE.committee.names

    def counts(canary: Canary, verdict: Verdict, **rest: Any) -> bool:
        cast = {name: SCENE.committee.ballot(name, canary.right) for name in names}
        cast["m0"] = SCENE.committee.ballot("m0", verdict, **rest)
        return detector.is_wrong(canary, "m0", cast, EPOCH)

    assert not counts(safe, NO, reasons=(reason,))
    assert counts(safe, NO)
    assert counts(safe, NO, reasons=(reason,), hard=True)
    assert counts(safe, NO, reasons=(reason, "Rule"))
    assert counts(unsafe, YES, reasons=(reason,))


def test_quarantined_members_neither_judge_nor_are_accused_again() -> None:
    """Their votes make no majority, and they have no vote left to lose."""
    scene = Canaried(quarantined=["m4"])
    away = [scene.result(n, ["m4"]) for n in range(10)]
    assert watched(away, scene) == []
    # Of the three others whose votes count, one is right and two are silent.
    thin = [scene.result(n, ["m0"], silent=["m2", "m3"]) for n in range(10)]
    assert watched(thin, scene) == []


def test_only_committed_canaries_count() -> None:
    """Neither for the watcher, whose place they would take, nor in an accusation."""
    other = Canaried(deck=canaries(61, 59))
    votes = [SCENE.result(n, ["m0"]).votes for n in range(6)]
    odd = [Result(other.deck.reveal(n), SOMEBODY, votes[n]) for n in range(6)]
    with pytest.raises(SubjectMismatch, match="not committed to"):
        step(Detector(EPOCH), odd[0], SIGNATURES)
    with pytest.raises(SubjectMismatch, match="not committed to"):
        verify(failures(*odd), EPOCH, SIGNATURES)


class LooseDeck(Deck):
    """A deck of somebody who does not keep to the rules."""

    def __post_init__(self) -> None:
        """Check nothing."""


def test_one_request_asked_often_is_one_canary() -> None:
    """Verdicts are sticky: who is wrong about a request once is wrong whenever it is asked. A deck
    with repeats convicts nobody by them."""
    scene = Canaried()
    same = canary_blank("same")
    repeats = [Canary(n.to_bytes(16, "big"), NO, "tools", Tier.FAST, same) for n in range(8)]
    scene.deck = LooseDeck(repeats)
    record = msgspec.structs.replace(EPOCH.record, seats=scene.committee.epoch.record.seats)
    scene.committee.open(msgspec.structs.replace(record, canaries=scene.deck.root))
    results = [scene.result(n, ["m0"]) for n in range(8)]
    assert watched(results, scene) == []
    with pytest.raises(InvalidInput, match="one canary"):
        verify(failures(*results[:6]), scene.committee.epoch, SIGNATURES)


def test_a_run_is_bounded() -> None:
    """A member half-way wrong for RESULTS_MAX canaries begins again; nothing grows."""
    scene = Canaried(deck=canaries(RESULTS_MAX + 60, 1))
    state = Detector(scene.committee.epoch)
    # Two right for each wrong keeps the statistic near the bottom, three for two lets it climb.
    statistic, plan = 0.0, []
    for _ in range(RESULTS_MAX + 40):
        wrong = advance(statistic, wrong=True) < ALARM and statistic < 6.0
        statistic = advance(statistic, wrong=wrong)
        plan.append(wrong)
    sizes = []
    for index, wrong in enumerate(plan):
        state, found = step(state, scene.result(index, ["m0"] if wrong else []), SIGNATURES)
        assert found == ()
        sizes.append(len(state.suspicions["m0", NO].results))
    assert max(sizes) == RESULTS_MAX
    assert sizes[-1] < RESULTS_MAX


def run_length(wrong: float, *, step: float = 0.01) -> float:
    """Mean canaries until the alarm, by solving the recursion E(s) = 1 + sum of p E(next).

    The statistic is kept on a grid, rounded up, so that the alarm comes no later than it would:
    the result is a lower bound.
    """
    up = math.ceil(math.log(WRONG_IF_LYING / WRONG_IF_ABLE) / step)
    down = math.floor(-math.log((1 - WRONG_IF_LYING) / (1 - WRONG_IF_ABLE)) / step)
    states = math.ceil(ALARM / step)
    matrix = np.eye(states)
    for state in range(states):
        matrix[state, max(0, state - down)] -= 1 - wrong
        if state + up < states:
            matrix[state, state + up] -= wrong
    return float(np.linalg.solve(matrix, np.ones(states))[0])


@pytest.mark.requirement("committee: false-alarm run length of an able member is at least 10^5")
def test_an_able_member_is_accused_once_in_a_hundred_thousand_canaries() -> None:
    """Wrong at one in ten it lasts for more than 10^5 on average, better ones far longer; a liar is
    found in 6, one that lies half of the time within 30."""
    assert 1e5 < run_length(WRONG_IF_ABLE) < 1e6
    assert run_length(0.05) > 1e7
    assert run_length(1.0) == 6
    assert run_length(0.7) < 15
    assert run_length(0.5) < 30


def test_the_recursion_agrees_with_a_seeded_simulation() -> None:
    """At a rate where alarms are frequent the code itself, run 4,000 times, comes to the same."""
    random.seed(7)
    lengths = []
    for _ in range(4_000):
        statistic, count = 0.0, 0
        while statistic < ALARM:
            statistic = advance(statistic, wrong=random.random() < 0.5)
            count += 1
        lengths.append(count)
    mean = sum(lengths) / len(lengths)
    assert mean * 0.85 < run_length(0.5) <= mean * 1.05


def test_a_member_wrong_at_one_in_a_hundred_is_never_near() -> None:
    """The honest member of the simulator."""
    statistic, highest = 0.0, 0.0
    random.seed(1)
    for _ in range(200_000):
        statistic = advance(statistic, wrong=random.random() < 0.01)
        highest = max(highest, statistic)
    assert highest < ALARM


def test_is_wrong_needs_an_answer_and_a_right_majority() -> None:
    """The rule itself, over all answers of four others."""
    canary = SCENE.deck.canaries[0]
    for others in itertools.product([None, YES, NO], repeat=4):
        ballots = {
            name: SCENE.committee.ballot(name, verdict)
            for name, verdict in zip(["m0", "m1", "m2", "m3", "m4"], (YES, *others), strict=True)
            if verdict is not None
        }
        expected = others.count(NO) >= 3
        assert detector.is_wrong(canary, "m0", ballots, EPOCH) is expected
