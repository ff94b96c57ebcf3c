"""Who decides about an action of each band, and within what time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.consensus.request import Band
from quorate.consensus.thresholds import Tier

FAST_MS: Final = 200
STRICT_MS: Final = 1_000
HOLD_SECONDS: Final = 900

_Budget = Annotated[int, msgspec.Meta(ge=limits.BUDGET_MS_MIN, le=limits.BUDGET_MS_MAX)]
_HoldLife = Annotated[int, msgspec.Meta(ge=limits.HOLD_LIFE_MIN, le=limits.HOLD_LIFE)]
_KeyText = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class Approvers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People of one policy who may approve what is held: ``needed`` of these keys must."""

    needed: Annotated[int, msgspec.Meta(ge=1, le=limits.SIGNATURES)]
    keys: Annotated[tuple[_KeyText, ...], msgspec.Meta(min_length=1, max_length=limits.SIGNATURES)]


class Voting(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """Budgets in milliseconds; ``veto``: every member must approve; who approves what is held."""

    fast_ms: _Budget = FAST_MS
    strict_ms: _Budget = STRICT_MS
    veto: bool = False
    hold_seconds: _HoldLife = HOLD_SECONDS
    approvers: Annotated[
        tuple[Approvers, ...], msgspec.Meta(max_length=limits.POLICIES_PER_POD)
    ] = ()
    """One entry for each policy that names any. All of them must approve; none: nobody can."""


VOTING: Final = Voting()
"""What holds unless a policy says otherwise."""


@dataclass(frozen=True, slots=True)
class Route:
    """How an action is decided. ``tier`` None: by the sidecar alone. ``budget`` in seconds."""

    tier: Tier | None
    budget: float = 0.0
    human: bool = False
    """Whether a person must approve as well."""
    veto: bool = False


def route(band: Band, voting: Voting = VOTING) -> Route:
    """The route of a band."""
    if band is Band.LOCAL:
        return Route(None)
    if band is Band.MEDIUM:
        return Route(Tier.FAST, voting.fast_ms / 1_000, veto=voting.veto)
    human = band is Band.CRITICAL
    return Route(Tier.STRICT, voting.strict_ms / 1_000, human=human, veto=voting.veto)


def strictest(all_of: Iterable[Voting]) -> Voting:
    """What holds if each of ``all_of`` must: the shortest times, any veto, everybody's approval."""
    said = list(all_of)
    if not said:
        return VOTING
    found = Voting(
        fast_ms=min(one.fast_ms for one in said),
        strict_ms=min(one.strict_ms for one in said),
        veto=any(one.veto for one in said),
        hold_seconds=min(one.hold_seconds for one in said),
        approvers=tuple(dict.fromkeys(group for one in said for group in one.approvers)),
    )
    # The very default, so that it is not sent.
    return VOTING if found == VOTING else found
