"""The plan of one run, drawn from its seed: who lies how, what fails, and what is done.

Everything that chance decides beforehand stands here, so a test can take a plan and change it.
"""

import random
from dataclasses import dataclass, field, replace
from enum import StrEnum

from quorate.consensus.thresholds import Thresholds, Tier
from tests.sim.network import CALM, Cut, Weather
from tests.sim.requests import Truth

SIZES = (
    (40, Thresholds(n=5, fast=3, strict=4, r=1)),
    (25, Thresholds(n=6, fast=4, strict=4, r=1)),
    (15, Thresholds(n=7, fast=5, strict=5, r=2)),
    (15, Thresholds(n=4, fast=3, strict=3, r=1)),
    (5, Thresholds(n=1, fast=1, strict=1, r=0)),
)
SOLITARY = (
    "always-approve",
    "always-deny",
    "flip-flop",
    "per-collector",
    "withhold",
    "replay",
    "forge",
    "slow",
    "slow-judge",
    "amnesia",
    "lost-fsync",
    "sleeper",
    "always-abstain",
    "constant-score",
    "wrong-at-random",
    "blind-in-one-stratum",
    "one-trigger",
    "framer",
)
OUTSIDERS = ("asker-0", "asker-1", "admin", "api", "canaries", "collector")
REAL_KEYS = 250
"""One run in so many is with real keys."""


class Focus(StrEnum):
    """What a run is mostly about."""

    DECISIONS = "decisions"
    CANARIES = "canaries"
    EPOCHS = "epochs"
    FREEZES = "freezes"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Times in seconds; ``strategies`` by member, everybody else is honest."""

    seed: int
    thresholds: Thresholds
    focus: Focus
    strategies: dict[str, str] = field(default_factory=dict)
    weather: Weather = CALM
    cuts: tuple[Cut, ...] = ()
    judge_max: float = 0.04
    span: float = 2.0
    asks: int = 5
    truths: tuple[Truth, ...] = (Truth.SAFE, Truth.SAFE, Truth.UNSAFE, Truth.OPEN)
    tiers: tuple[Tier, ...] = (Tier.FAST, Tier.STRICT)
    shared: float = 0.3
    """How often two enforcement points ask about one request at once."""
    canaries: int = 0
    canary_kind: str = "unsafe"
    crashes: tuple[tuple[float, str], ...] = ()
    drains: tuple[tuple[float, str], ...] = ()
    jumps: tuple[tuple[float, str, float], ...] = ()
    sync_max: float = 0.004
    sync_fails: float = 0.0
    capacity: int = 10_000
    forgets_approvals: bool = False
    hostile_collector: bool = False
    hostile_api: bool = False
    proposals: tuple[str, ...] = ()
    """What administrators propose: policies, canaries, rotate, grow, readmit, recover. The second
    comes a moment after the first, for the same number."""
    orders: int = 0
    real_keys: bool = False
    calm: bool = True
    reckless: bool = False
    """Whether administrators recover past an API server that lies."""
    believed: bool = False
    """Whether the checker takes everybody for honest: to show what a wrong belief leads to."""

    @property
    def members(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"m{i}" for i in range(self.thresholds.n))

    @property
    def everyone(self) -> tuple[str, ...]:
        """Members, and the one that may become a member."""
        return (*self.members, "spare") if "grow" in self.proposals else self.members


def draw(seed: int) -> Plan:
    """The plan of ``seed``."""
    rng = random.Random(seed)
    weights = [weight for weight, _ in SIZES]
    thresholds = rng.choices([size for _, size in SIZES], weights)[0]
    names = [f"m{i}" for i in range(thresholds.n)]
    focus = rng.choices(list(Focus), (55, 15, 18, 12))[0]
    calm = rng.random() < 0.2
    strategies = _liars(rng, names, thresholds.r, focus)
    span = 3.0 if focus is Focus.CANARIES else 2.0
    plan = Plan(
        seed=seed,
        thresholds=thresholds,
        focus=focus,
        strategies=strategies,
        span=span,
        asks=rng.randint(2, 6) if focus is Focus.DECISIONS else rng.randint(1, 3),
        canaries=rng.randint(8, 10) if focus is Focus.CANARIES else 0,
        canary_kind=_kind(rng, strategies),
        proposals=_proposals(rng, focus),
        orders=rng.randint(1, 2) if focus is Focus.FREEZES else int(rng.random() < 0.05),
        forgets_approvals=rng.random() < 0.3,
        hostile_collector=rng.random() < (0.8 if "forge" in strategies.values() else 0.3),
        hostile_api=rng.random() < (0.5 if focus is Focus.EPOCHS else 0.1),
        real_keys=seed % REAL_KEYS == 0,
        calm=calm,
    )
    return plan if calm else _troubled(rng, plan)


def _liars(rng: random.Random, names: list[str], r: int, focus: Focus) -> dict[str, str]:
    count = rng.choice((0, 1, 1, 1)) if r == 1 else rng.randint(0, r)
    liars = rng.sample(names, count)
    if count == 2 and rng.random() < 0.5:
        return dict.fromkeys(liars, "colluding")
    found = ("always-approve", "always-deny", "flip-flop", "per-collector", "constant-score")
    pool = found if focus is Focus.CANARIES and rng.random() < 0.6 else SOLITARY
    return {name: rng.choice(pool) for name in liars}


def _proposals(rng: random.Random, focus: Focus) -> tuple[str, ...]:
    kinds = ("policies", "canaries", "rotate", "grow", "readmit", "recover")
    if focus is Focus.EPOCHS:
        return tuple(rng.choice(kinds) for _ in range(rng.randint(1, 2)))
    if focus is Focus.CANARIES and rng.random() < 0.2:
        return ("readmit",)
    return (rng.choice(kinds),) if rng.random() < 0.05 else ()


def _kind(rng: random.Random, strategies: dict[str, str]) -> str:
    """Of the canaries: mostly those that find the liar."""
    if rng.random() < 0.2:
        return rng.choice(("unsafe", "safe"))
    return "safe" if {"always-deny", "slow-judge"} & set(strategies.values()) else "unsafe"


def _troubled(rng: random.Random, plan: Plan) -> Plan:
    delay = rng.choice((0.005, 0.05, 0.2, 0.5))
    weather = Weather(
        delay_max=delay,
        lost=rng.choice((0.0, 0.0, 0.02, 0.1, 0.3)),
        twice=rng.choice((0.0, 0.0, 0.1)),
    )
    members, span = plan.members, plan.span
    cuts = tuple(_cut(rng, members, span) for _ in range(rng.choice((0, 0, 0, 1, 2))))
    crashes = tuple(
        (rng.random() * span, rng.choice(members)) for _ in range(rng.choice((0, 0, 1, 2)))
    )
    drains = tuple((rng.random() * span, name) for name in members if rng.random() < 0.03)
    jumps = tuple(
        (rng.random() * span, name, rng.choice((-3600.0, -5.0, 5.0, 3600.0)))
        for name in members
        if rng.random() < 0.1
    )
    return replace(
        plan,
        weather=weather,
        cuts=cuts,
        crashes=crashes,
        drains=drains,
        jumps=jumps,
        judge_max=rng.choice((0.02, 0.1, 0.25)),
        sync_max=rng.choice((0.002, 0.02, 0.1)),
        sync_fails=rng.choice((0.0, 0.0, 0.0, 0.02)),
        capacity=rng.choice((10_000, 10_000, 10_000, 2)),
    )


def _cut(rng: random.Random, members: tuple[str, ...], span: float) -> Cut:
    """One side cannot reach the other, in one direction or in both."""
    side = tuple(rng.sample(members, rng.randint(1, max(1, len(members) // 2))))
    others = tuple(name for name in (*members, *OUTSIDERS) if name not in side)
    start = rng.random() * span
    end = start + rng.random() * span
    if rng.random() < 0.5:
        return Cut(start, end, side, others)
    return Cut(start, end, others, side)
