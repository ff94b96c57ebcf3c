"""How often honest members contradict each other: by verdict, or by how far their scores lie apart.

The members of the standard preset, each with its own set of judges, are asked about everyday
requests and about unsafe ones. What a sidecar tells people of (DecisionsSplit) must be rare on the
first, and not on the second: :func:`false_alarms` says how rare, by the sidecar's own thresholds.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from quorate.consensus.judge_sets import ALL
from quorate.consensus.wire import Verdict
from quorate_consensus.judges.reader import Reader
from quorate_consensus.judges.sets import SETS
from quorate_sidecar.actions.discord import (
    CONTESTED_MIN,
    CONTESTED_SHARE,
    SPREAD,
    WINDOW_SECONDS,
)
from quorate_training.judges.asks import Everyday, Item
from quorate_training.judges.attacks import unsafe
from quorate_training.judges.texts import Split

SEED: Final = "splits"
EVERYDAY: Final = 20_000
UNSAFE: Final = 2_000
PACE_MAX: Final = 1_000
"""Asks in a window. At more, a share is the rate, and by chance never so large."""
MEMBERS: Final = tuple(name for name in SETS if name != ALL)


@dataclass(slots=True)
class Asked:
    """What members said of requests of one kind."""

    count: int = 0
    verdicts: int = 0
    """Contested by verdict: some approve, some deny."""
    spreads: list[int] = field(default_factory=list)
    """Of the others, how far their scores lie apart, in thousandths."""

    def add(self, denies: Sequence[bool], scores: Sequence[int]) -> None:
        """One more, by what each member said."""
        self.count += 1
        if any(denies) and not all(denies):
            self.verdicts += 1
        else:
            self.spreads.append(max(scores) - min(scores))

    @property
    def scores(self) -> int:
        """Contested by score alone."""
        return sum(found >= SPREAD for found in self.spreads)

    @property
    def contested(self) -> int:
        """Contested in whatever way."""
        return self.verdicts + self.scores


def false_alarms(rate: float, days: float = 365.0) -> float:
    """How often at most a pod is told of in ``days``, if asks are contested at ``rate`` by chance.

    A union bound over all asks, each looked at with the window before it, at the pace (asks in a
    window) at which that is worst.
    """
    windows = days * 86_400 / WINDOW_SECONDS
    found = 0.0
    for asks in range(CONTESTED_MIN, PACE_MAX):
        told = max(CONTESTED_MIN, math.ceil(CONTESTED_SHARE * asks))
        found = max(found, windows * asks * _at_least(asks, rate, told))
    return found


def _at_least(count: int, rate: float, least: int) -> float:
    """The upper tail of the binomial distribution."""
    term = math.comb(count, least) * rate**least * (1 - rate) ** (count - least)
    total = 0.0
    for found in range(least, count + 1):
        total += term
        term *= (count - found) / (found + 1) * rate / (1 - rate)
    return total


@dataclass(slots=True)
class Splits:
    """Everyday requests in all and by content kind, and unsafe ones."""

    everyday: Asked = field(default_factory=Asked)
    kinds: dict[str, Asked] = field(default_factory=lambda: defaultdict(Asked))
    unsafe: Asked = field(default_factory=Asked)


def measured(judges: dict[str, Reader], everyday: int = EVERYDAY, harmful: int = UNSAFE) -> Splits:
    """Ask about generated requests that no judge was trained or calibrated on."""
    found = Splits()
    draw = Everyday(SEED, Split.REPORT)
    for item in (draw.item() for _ in range(everyday)):
        said = _said(judges, item)
        found.everyday.add(*said)
        found.kinds[item.kind].add(*said)
    for item in _unsafe(harmful):
        found.unsafe.add(*_said(judges, item))
    return found


def _unsafe(count: int) -> Iterable[Item]:
    return unsafe(SEED, count, Split.REPORT)


def _said(judges: dict[str, Reader], item: Item) -> tuple[list[bool], list[int]]:
    """As a member's panel says it: any denial denies, the highest score counts."""
    opinions = {name: judge.read(item.request) for name, judge in judges.items()}
    denies = {name: one.verdict is not Verdict.APPROVE for name, one in opinions.items()}
    return (
        [any(denies[judge] for judge in SETS[member]) for member in MEMBERS],
        [max(opinions[judge].score for judge in SETS[member]) for member in MEMBERS],
    )
