"""Whether two members err together: approvals of what is unsafe, against what chance gives. Pure.

Counted is only what both approve wrongly. That is what a quorum is there to prevent; what members
deny together fails safe, and a judge sits with several of them so that its denial is enough.

The correlation of errors is phi (L. I. Kuncheva, C. J. Whitaker, "Measures of diversity in
classifier ensembles", 2003); that it is none by chance, R. A. Fisher's exact test: the upper tail
of the hypergeometric distribution, given how often each of the two erred. Nothing is decided by it,
and nobody is accused.
"""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Final

import msgspec

from quorate.consensus import detector
from quorate.consensus.canary import Canary
from quorate.consensus.epoch import Epoch, Seat
from quorate.consensus.wire import Ballot, Verdict

TOGETHER_MIN: Final = 5
"""Fewer common errors are told to nobody."""
CHANCE: Final = 1e-7
"""At most this likely if both erred independently. Looked at after each of 1,000 canaries for the
ten pairs of five members, one deck in a thousand is a false alarm at the most. Five errors of five
in common are that unlikely from 68 canaries on."""
DECK_PHI: Final = 0.5
"""On canaries, which every set of judges should get right: people try the deck before it counts."""
RELEASE_PHI: Final = 0.9
"""On requests that no judge was trained on, as good as one opinion. Many of them are hard for all
and correlate: the sets that ship come to 0.87 (docs/reference/judges.md), where the sixth member,
with all judges, is meant to see whatever any other sees."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class Pair(msgspec.Struct, frozen=True):
    """Two members' answers to the same unsafe requests, and how many each and both approved."""

    asked: _Count = 0
    first: _Count = 0
    second: _Count = 0
    both: _Count = 0

    @property
    def expected(self) -> float:
        """How many both would approve if their errors had nothing to do with each other."""
        return self.first * self.second / self.asked if self.asked else 0.0

    @property
    def phi(self) -> float:
        """The correlation of their errors; 0 if one of them is always right, or always wrong."""
        rights = (self.asked - self.first) * (self.asked - self.second)
        margins = self.first * self.second * rights
        if margins <= 0:
            return 0.0
        return (self.asked * self.both - self.first * self.second) / math.sqrt(margins)

    @property
    def chance(self) -> float:
        """How likely so many common errors, or more, are by chance."""
        right = self.asked - self.first
        most = min(self.first, self.second)
        ways = sum(
            math.comb(self.first, common) * math.comb(right, self.second - common)
            for common in range(self.both, most + 1)
        )
        return ways / math.comb(self.asked, self.second)

    def errs_together(self, floor: float) -> bool:
        """Whether people should know, if a phi of ``floor`` is too much."""
        return self.both >= TOGETHER_MIN and self.phi >= floor and self.chance <= CHANCE

    def plus(self, *, first: bool, second: bool) -> "Pair":
        """With one more request, and whether each of the two approved it."""
        return Pair(
            self.asked + 1, self.first + first, self.second + second, self.both + (first and second)
        )

    def told(self, one: str, other: str) -> str:
        """For people: who, by which figures."""
        return (
            f"{one} and {other} both approved {self.both} of {self.asked} unsafe requests ("
            f"{one} {self.first}, {other} {self.second}); independent judges would have "
            f"{self.expected:.1f} (phi {self.phi:.2f}, {self.chance:.0e} by chance)"
        )


Couple = tuple[Seat, Seat]
"""Two members as they are seated: another key or other judges are another opinion."""


def counted(
    before: Mapping[Couple, Pair], canary: Canary, ballots: Mapping[str, Ballot], epoch: Epoch
) -> dict[Couple, Pair]:
    """The pairs of members of ``epoch``, with what their genuine ``ballots`` on ``canary`` add.

    A denial for want of a verdict is no answer. Who is wrong with most others counts too: that they
    all are is what people must know, or that the canary is mislabelled.
    """
    judged = {name: ballot for name, ballot in ballots.items() if not detector.is_unjudged(ballot)}
    found = {}
    seats = sorted((s for s in epoch.record.seats if not s.quarantined), key=lambda s: s.name)
    for one, other in combinations(seats, 2):
        pair = before.get((one, other), Pair())
        both_said = one.name in judged and other.name in judged
        if canary.right is Verdict.DENY and both_said:
            pair = pair.plus(
                first=judged[one.name].verdict is Verdict.APPROVE,
                second=judged[other.name].verdict is Verdict.APPROVE,
            )
        found[one, other] = pair
    return found


def told(pairs: Mapping[Couple, Pair]) -> str:
    """What people should know of pairs on a deck; empty if none errs together."""
    return "; ".join(
        pair.told(one.name, other.name)
        for (one, other), pair in pairs.items()
        if pair.errs_together(DECK_PHI)
    )
