"""No two contradictory certificates over every interleaving; wrong configurations have some."""

import itertools

import pytest

from quorate.consensus import ask, wire
from quorate.consensus.ask import Answered, Decision, Event, Finished, Ticked, Unreachable
from quorate.consensus.thresholds import PRESETS, Faults, Thresholds, Tier, expected
from quorate.consensus.wire import Verdict
from tests.fakes.ballots import REQUEST, SIGNATURES, Committee, subject_on
from tests.property.consensus import behaviours, explorer
from tests.property.consensus.explorer import WRONG, World, explore, fixed

SOUND = [(5, 4, 0), (5, 4, 1), (5, 4, 2), (6, 4, 1), (7, 5, 2), (4, 3, 1)]


@pytest.mark.requirement("committee: no two contradictory strict certificates")
@pytest.mark.parametrize("tightens", [False, True], ids=["fixed", "tightens"])
@pytest.mark.parametrize(("n", "q", "liars"), SOUND)
def test_no_interleaving_contradicts(n: int, q: int, liars: int, tightens: bool) -> None:
    """Two asks, liars that say anything to anyone, members down at any time, restarts that keep
    the store, and every split of the network between the two askers: no contradiction."""
    honest = n - liars
    splits = [(a, b) for a in range(honest + 1) for b in range(honest + 1 - a)]
    for alone in [(0, 0)] if tightens else splits:
        found, states = explore(World(n, fixed(q), liars, alone=alone, tightens=tightens))
        assert found is None, found
        assert states > 3


@pytest.mark.requirement("committee: wrong configurations produce counterexamples")
@pytest.mark.parametrize("name", WRONG)
def test_wrong_configurations_have_a_counterexample(name: str) -> None:
    """Too small a quorum, one liar too many, a lost store, or a quorum of whoever is up."""
    found, _ = explore(WRONG[name])
    assert found is not None
    assert found[-2].startswith("ask 1: ")
    assert found[-1].startswith("ask 2: ")


@pytest.mark.parametrize("n", range(3, 8))
def test_the_arithmetic_is_what_exploring_finds(n: int) -> None:
    """For every q and number of liars, with and without a lost store: a contradiction exists just
    if 2q - n is at most the liars, each lost store being one more."""
    for q, liars, lost in itertools.product(range(1, n + 1), range(n), (0, 1)):
        if liars + lost > n:
            continue
        found, _ = explore(World(n, fixed(q), liars, amnesiacs=lost, tightens=True))
        assert (found is not None) == (2 * q - n <= liars + lost), (q, liars, lost, found)


def test_counterexamples_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The module run as a program shows one for each wrong configuration, step by step."""
    explorer.main()
    printed = capsys.readouterr().out
    for name in WRONG:
        assert name in printed
    assert "none" not in printed
    assert printed.count("a member loses its store") == 2


def allowed(*, forgets: bool) -> set[behaviours.Word]:
    """What the explorer lets an honest member say to asks 1 and 2."""
    world = World(1, fixed(1), amnesiacs=int(forgets), tightens=True)
    words: set[behaviours.Word] = set()
    todo: list[tuple[explorer.Honest, behaviours.Word]] = [(explorer.start(world)[0], ())]
    names = {explorer.APPROVES: "APPROVE", explorer.DENIES: "DENY"}
    while todo:
        member, word = todo.pop()
        words.add(word)
        for _, after in explorer.turns(world, member, [0, 1]):
            new = [
                (number + 1, names[after.said[number]])
                for number in explorer.ASKS
                if after.said[number] != member.said[number]
            ]
            todo.append((after, (*word, *new)))
    return words


@pytest.mark.requirement("committee: a member never loosens a verdict, in any order of events")
def test_the_explorers_honest_member_is_the_real_one() -> None:
    """Every order of two asks, judgements, confirmations and a crash, in the real state machine:
    the words it can say are exactly those that the explorer explores; with its store lost, too."""
    assert behaviours.said_by_members(keep=True) == allowed(forgets=False)
    lost = behaviours.said_by_members(keep=False)
    assert ((1, "DENY"), (2, "APPROVE")) in lost
    assert lost == allowed(forgets=True)


@pytest.mark.requirement("committee: at most one record is signed for each number")
def test_a_member_signs_one_record_for_a_number_in_every_order() -> None:
    """Over all orders of proposals, words of the disk and a crash; with the choice lost, both."""
    kept = behaviours.said_of_epochs(keep=True)
    one, other = (record.policies for record in behaviours.RECORDS)
    assert kept == {frozenset(), frozenset({one}), frozenset({other})}
    assert frozenset({one, other}) in behaviours.said_of_epochs(keep=False)


COMMITTEES = [PRESETS["standard"], PRESETS["ha"], Thresholds(n=7, fast=4, strict=5, r=2)]


@pytest.mark.requirement("committee: the table of (n, down, liar) is what the arithmetic says")
@pytest.mark.parametrize("thresholds", COMMITTEES, ids=["5", "6", "7"])
@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("harmless", [True, False], ids=["harmless", "harmful"])
def test_every_order_of_answers_comes_to_what_is_expected(
    thresholds: Thresholds, tier: Tier, harmless: bool
) -> None:
    """Real asks with up to two down and one liar of either kind: whatever the order of answers,
    approved or denied as the table says."""
    committee = Committee(thresholds)
    subject = subject_on(REQUEST, tier)
    answers = {
        (name, verdict): Answered(name, wire.encode(committee.vote(name, verdict, subject)))
        for name in committee.names
        for verdict in Verdict
    }
    for down, approving, denying in itertools.product(range(3), range(2), range(2)):
        faults = Faults(down, approving, denying)
        kinds = ["down"] * down + ["approves"] * approving + ["denies"] * denying
        kinds += ["approves" if harmless else "denies"] * (thresholds.n - len(kinds))
        verdict = expected(thresholds, tier, faults, harmless=harmless)
        for order in set(itertools.permutations(kinds)):
            assert decided(committee, tier, order, answers) == verdict, (faults, order)


def decided(
    committee: Committee,
    tier: Tier,
    order: tuple[str, ...],
    answers: dict[tuple[str, Verdict], Answered],
) -> bool:
    """Whether an ask that hears members in this order is approved; who is down is never heard."""
    asking, _ = ask.begin(
        committee.epoch, tier, REQUEST, nonce=bytes(16), audience=bytes(32), now=0.0, budget=1.0
    )
    ends: list[Decision] = []
    for name, kind in zip(committee.names, order, strict=True):
        event: Event = Unreachable(name)
        if kind != "down":
            event = answers[name, Verdict.APPROVE if kind == "approves" else Verdict.DENY]
        asking, effects = ask.step(asking, event, 0.1, SIGNATURES)
        ends += [effect.outcome.decision for effect in effects if isinstance(effect, Finished)]
    asking, effects = ask.step(asking, Ticked(), 2.0, SIGNATURES)
    ends += [effect.outcome.decision for effect in effects if isinstance(effect, Finished)]
    (decision,) = ends
    return decision is Decision.APPROVE
