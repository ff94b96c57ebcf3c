"""How many members there are, how many must approve, and how many liars that tolerates.

The rules are those of quorum intersection (Malkhi and Reiter, "Byzantine quorum systems", 1998):
two sets of q out of n members share at least 2q - n, so if that is more than r, two certificates
that contradict each other need an honest member that signed both.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from quorate.errors import InvalidInput

MEMBERS_MAX = 13
"""Every member hears every ask; a larger committee would want another protocol."""


class Tier(StrEnum):
    """How sure a decision must be. ``STRICT``: admission, the record, and high risk."""

    FAST = "fast"
    STRICT = "strict"


_Count = Annotated[int, msgspec.Meta(ge=1, le=MEMBERS_MAX)]


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``n`` members, ``fast`` and ``strict`` approvals needed, ``r`` liars tolerated.

    Never derived from who is up: a committee that shrinks its quorum with its members lets
    whoever can cut the network decide.
    """

    n: _Count
    fast: _Count
    strict: _Count
    r: Annotated[int, msgspec.Meta(ge=0, le=MEMBERS_MAX)]

    def needed(self, tier: Tier) -> int:
        """Approvals a certificate of ``tier`` holds at least."""
        return self.strict if tier is Tier.STRICT else self.fast


def check(thresholds: Thresholds) -> None:
    """Raise InvalidInput, with the arithmetic, unless the quorums intersect as they must."""
    n, fast, strict, r = thresholds.n, thresholds.fast, thresholds.strict, thresholds.r
    for name, needed in (("fast", fast), ("strict", strict)):
        if needed > n:
            raise _refused(name, f"needs {needed} approvals of {n} members", f"at most {n}")
    if 2 * strict - n <= r:
        raise _refused(
            "strict",
            f"two certificates of {strict} out of {n} share only 2*{strict}-{n} = "
            f"{2 * strict - n} members, and {r} may lie",
            f"at least {(n + r) // 2 + 1}",
        )
    if 2 * fast <= n:
        raise _refused(
            "fast",
            f"2*{fast} = {2 * fast} is not more than {n}: both sides of a split could decide",
            f"at least {n // 2 + 1}",
        )
    if fast <= r:
        raise _refused("fast", f"{r} liars could approve alone", f"at least {r + 1}")
    if fast > strict:
        raise _refused("fast", f"{fast} is more than strict's {strict}", f"at most {strict}")
    if strict > n - r:
        raise _refused(
            "strict",
            f"{n}-{r} = {n - r} honest members could not outvote {r} that lie: none of these "
            "would ever be quarantined",
            f"at most {n - r}, or r to at most {n - strict}",
        )


def _refused(tier: str, why: str, fix: str) -> InvalidInput:
    return InvalidInput(why, field=f"thresholds.{tier}", fix=f"set {tier} to {fix}")


PRESETS = {
    "dev": Thresholds(n=1, fast=1, strict=1, r=0),
    "standard": Thresholds(n=5, fast=3, strict=4, r=1),
    "ha": Thresholds(n=6, fast=4, strict=4, r=1),
}
"""What the chart calls ``committee.preset``."""


@dataclass(frozen=True, slots=True)
class Faults:
    """``down`` members do not answer (connections refused), ``approving`` approve whatever is
    asked, ``denying`` deny whatever is asked."""

    down: int = 0
    approving: int = 0
    denying: int = 0


def expected(thresholds: Thresholds, tier: Tier, faults: Faults, *, harmless: bool) -> bool:
    """Whether an ask is approved when every honest member judges rightly and answers in time."""
    honest = thresholds.n - faults.down - faults.approving - faults.denying
    approvals = faults.approving + (honest if harmless else 0)
    return approvals >= thresholds.needed(tier)
