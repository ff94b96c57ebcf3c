"""Twins: two unmodified copies of a member with one key, and a network that splits round by round.

After Bano et al., "Twins: BFT Systems Made Robust" (OPODIS 2021): two honest copies that do not
know of each other tell two stories, as a liar would, and run the code that is shipped. There is no
leader here, so a round is a partition, and what two enforcement points ask in it. All partitions
into two sides for two rounds are enumerated for the smallest committee with one twin; larger ones
are sampled.
"""

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from quorate.consensus.thresholds import Thresholds, Tier
from tests.sim.asker import BUDGETS
from tests.sim.network import Cut
from tests.sim.node import Node
from tests.sim.plan import SIZES, Focus, Plan
from tests.sim.requests import PLACES, STRATA, Request, Truth
from tests.sim.simulation import LATE_SECONDS, Outcome, Simulation, checked

ROUND_SECONDS = 0.6
ASKERS = ("asker-0", "asker-1")
MATTERS = 2
"""Requests that come up again and again, so that a twin meets one twice."""
SIDES_MAX = 3
ROUNDS_MAX = 4
SMALLEST = Thresholds(n=4, fast=3, strict=3, r=1)
LARGER = tuple(size for _, size in SIZES if size.n > SMALLEST.n)
ENUMERATED = 4_096
SAMPLED = 4_000
"""In ``make sim``, beside all that is enumerated; their numbers follow."""
CHUNK = 128

Sides = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world: who has a twin, and on which side of which round everybody is. With ``contested``
    the API server shows two candidates for one number to different members."""

    number: int
    thresholds: Thresholds
    twins: int
    rounds: tuple[Sides, ...]
    contested: bool = False

    @property
    def plan(self) -> Plan:
        """As the simulator takes it."""
        cuts = [
            Cut(place * ROUND_SECONDS, (place + 1) * ROUND_SECONDS, here, there)
            for place, sides in enumerate(self.rounds)
            for here in sides
            for there in sides
            if here is not there
        ]
        return Plan(
            seed=self.number,
            thresholds=self.thresholds,
            focus=Focus.EPOCHS if self.contested else Focus.DECISIONS,
            cuts=tuple(cuts),
            judge_max=0.02,
            span=len(self.rounds) * ROUND_SECONDS,
            asks=0,
            truths=(Truth.OPEN, Truth.OPEN, Truth.SAFE, Truth.UNSAFE),
            hostile_api=self.contested,
            proposals=("policies", "policies") if self.contested else (),
            calm=False,
        )


def second(member: str) -> str:
    """Where a member's second copy is."""
    return f"{member}'"


def copies(thresholds: Thresholds, twins: int) -> tuple[str, ...]:
    """All members, then the second copies of the first of them."""
    names = [f"m{i}" for i in range(thresholds.n)]
    return (*names, *map(second, names[:twins]))


def enumerated() -> Iterator[Scenario]:
    """Every split into two sides, or none, in each of two rounds: the smallest committee."""
    here, *others = (*ASKERS, *copies(SMALLEST, 1))
    splits: list[Sides] = []
    for size in range(len(others) + 1):
        for there in combinations(others, size):
            side = tuple(name for name in (here, *others) if name not in there)
            splits.append((side, there))
    for number, (first, then) in enumerate((a, b) for a in splits for b in splits):
        yield Scenario(number, SMALLEST, 1, (first, then))


def sampled(number: int, thresholds: Thresholds | None = None, twins: int = 0) -> Scenario:
    """The scenario of this number. ``twins``: instead of as many as are tolerated."""
    rng = random.Random(f"twins/{number}")
    size = thresholds or rng.choice(LARGER)
    doubled = twins or size.r
    contested = rng.random() < 0.3
    everyone = [*copies(size, doubled), *ASKERS]
    rounds = []
    for _ in range(rng.randint(1, ROUNDS_MAX)):
        count = rng.randint(1, SIDES_MAX)
        place = {name: rng.randrange(count) for name in everyone}
        sides = (tuple(name for name in everyone if place[name] == side) for side in range(count))
        rounds.append(tuple(sides))
    return Scenario(number, size, doubled, tuple(rounds), contested)


class Twins(Simulation):
    """The world of one scenario."""

    def __init__(self, scenario: Scenario, *, verbose: bool = False) -> None:
        self.scenario = scenario
        super().__init__(scenario.plan, verbose=verbose)
        # Each copy is honest; the two of them together are not.
        self.scene.history.faulty = frozenset(self.doubled)

    @property
    def doubled(self) -> tuple[str, ...]:
        """Members with two copies."""
        return self.plan.members[: self.scenario.twins]

    def _everyone(self) -> list[Node]:
        return [*super()._everyone(), *(self._node(name, second(name)) for name in self.doubled)]

    def _schedule(self) -> None:
        super()._schedule()
        for place in range(len(self.scenario.rounds)):
            self.scene.world.at(place * ROUND_SECONDS, self._round)

    def _round(self) -> None:
        """Each enforcement point asks about one of the matters, within the round."""
        random_ = self.scene.world.random
        for asker in self.askers:
            number = random_.randrange(MATTERS)
            request = self.scene.register.add(
                Request(number, self.plan.truths[number], STRATA[0], wavers=True)
            )
            tier = random_.choice((Tier.FAST, Tier.STRICT, Tier.STRICT))
            nonce = asker.begin(request, tier, PLACES[0])
            if nonce is not None:
                later = BUDGETS[tier] + LATE_SECONDS
                self.scene.world.after(later, partial(self._show_votes, asker, nonce))


def run(scenario: Scenario, *, verbose: bool = False) -> Outcome:
    """Run a scenario and check its history."""
    return checked(Twins(scenario, verbose=verbose))


def nth(number: int) -> Scenario:
    """The scenario of a number: what is enumerated comes first."""
    return list(enumerated())[number] if number < ENUMERATED else sampled(number)


@dataclass(slots=True)
class Counted:
    """What came of some scenarios. ``failures``: number, and the first broken rule."""

    scenarios: int = 0
    violations: int = 0
    approvals_acted_on: int = 0
    epochs: int = 0
    quarantines: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Counted") -> None:
        """Count another's as well."""
        for name in ("scenarios", "violations", "approvals_acted_on", "epochs", "quarantines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures += other.failures


def run_some(scenarios: Iterable[Scenario]) -> Counted:
    """One after another."""
    counted = Counted()
    for scenario in scenarios:
        outcome = run(scenario)
        failures = [(scenario.number, line) for line in outcome.violations[:1]]
        counted.add(
            Counted(
                1, len(failures), outcome.acted, outcome.epochs, len(outcome.quarantined), failures
            )
        )
    return counted


def run_all(processes: int) -> Counted:
    """All that is enumerated, and SAMPLED more, over ``processes``."""
    scenarios = [*enumerated(), *map(sampled, range(ENUMERATED, ENUMERATED + SAMPLED))]
    chunks = [scenarios[start : start + CHUNK] for start in range(0, len(scenarios), CHUNK)]
    counted = Counted()
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(run_some, chunks):
            counted.add(part)
    return counted
