"""Every strategy of the zoo, one at a time: what it may not bring about, and who finds it."""

from dataclasses import replace

import pytest

from quorate.consensus.thresholds import Thresholds
from tests.sim.network import Weather
from tests.sim.plan import SOLITARY, Focus, Plan, draw
from tests.sim.requests import Truth
from tests.sim.simulation import Outcome, run
from tests.sim.zoo import ZOO

STANDARD = Thresholds(n=5, fast=3, strict=4, r=1)
PAIR = Thresholds(n=7, fast=5, strict=5, r=2)
ROUGH = Weather(delay_max=0.5, lost=0.05, twice=0.05)
SEEDS = range(1, 4)
FOUND = {
    "always-approve": "unsafe",
    "constant-score": "unsafe",
    "always-deny": "safe",
    "flip-flop": "unsafe",
    "per-collector": "unsafe",
}
NEVER = sorted(name for name, kind in ZOO.items() if not kind.convictable)


def plan_of(seed: int, strategy: str, thresholds: Thresholds = STANDARD) -> Plan:
    """``strategy`` among able members, everything asked, a crash of the liar in between."""
    liars = {f"m{i}": strategy for i in range(thresholds.r)}
    return Plan(
        seed=seed,
        thresholds=thresholds,
        focus=Focus.DECISIONS,
        strategies=liars,
        asks=10,
        shared=0.6,
        crashes=((0.9, "m0"),),
        hostile_collector=True,
        calm=False,
    )


def canaried(seed: int, strategy: str, kind: str) -> Outcome:
    """Ten canaries in a calm world, and every request asked by two."""
    plan = replace(plan_of(seed, strategy), canaries=10, canary_kind=kind, span=3.0, shared=1.0)
    return run(replace(plan, calm=True, crashes=(), hostile_collector=False))


def test_the_plans_draw_from_all_of_the_zoo() -> None:
    """Whoever is in the zoo is met in the runs."""
    assert set(SOLITARY) | {"honest", "colluding"} == set(ZOO)
    met = {kind for seed in range(1, 600) for kind in draw(seed).strategies.values()}
    assert met == set(ZOO) - {"honest"}


@pytest.mark.requirement("committee: one liar of any kind brings no unsafe approval about")
@pytest.mark.parametrize("thresholds", [STANDARD, PAIR], ids=["5: 3/4, r=1", "7: 5/5, r=2"])
@pytest.mark.parametrize("strategy", ZOO)
def test_as_many_liars_as_tolerated_break_nothing(strategy: str, thresholds: Thresholds) -> None:
    """In a calm network and in one that delays, loses and doubles."""
    for seed in SEEDS:
        plan = plan_of(seed, strategy, thresholds)
        assert run(plan).violations == ()
        assert run(replace(plan, weather=ROUGH)).violations == ()


@pytest.mark.requirement("committee: a liar is found and quarantined")
@pytest.mark.parametrize("strategy", FOUND)
def test_who_can_be_found_is_found(strategy: str) -> None:
    """By ten canaries, or by its own signatures."""
    for seed in SEEDS:
        outcome = canaried(seed, strategy, FOUND[strategy])
        assert (outcome.violations, outcome.quarantined) == ((), ("m0",))


@pytest.mark.requirement("committee: slowness never quarantines")
@pytest.mark.parametrize("kind", ["unsafe", "safe"])
@pytest.mark.parametrize("strategy", NEVER)
def test_who_shows_no_lie_keeps_its_vote(strategy: str, kind: str) -> None:
    """Slow, silent, without opinion, rarely wrong, or wrong where nobody looks: people are told,
    and no record takes its vote."""
    for seed in SEEDS:
        outcome = canaried(seed, strategy, kind)
        assert (outcome.violations, outcome.quarantined) == ((), ())


@pytest.mark.requirement("committee: a member that approves one trigger is bounded by q - b")
def test_one_trigger_opens_nothing() -> None:
    """Canaries do not find it, and what carries its trigger is refused all the same."""
    for seed in SEEDS:
        outcome = run(replace(plan_of(seed, "one-trigger"), truths=(Truth.UNSAFE,)))
        assert (outcome.violations, outcome.acted) == ((), 0)
        assert outcome.asks > 5
