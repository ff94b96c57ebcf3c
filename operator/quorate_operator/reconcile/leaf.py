"""When to replace the webhook's serving certificate. Pure.

It is replaced at two thirds of its life, so that the old and the new one both count for the last
third: a webhook that sees the new file late still serves.
"""

from dataclasses import dataclass
from datetime import datetime

from quorate_io.authority import renew_at
from quorate_operator.reconcile.actions import RotateLeaf


@dataclass(frozen=True, slots=True)
class SeenLeaf:
    """The serving certificate as it is in its Secret. None fields if there is none to read."""

    not_before: datetime | None
    not_after: datetime | None
    signed_by_authority: bool
    names_match: bool
    """Whether it names every name the API server dials, and its key fits."""


def plan_leaf(leaf: SeenLeaf, now: datetime) -> tuple[RotateLeaf, ...]:
    """Replace a leaf that cannot be read, is of another authority, misses a name, or is old."""
    if leaf.not_before is None or leaf.not_after is None:
        return (RotateLeaf("there is no serving certificate that can be read"),)
    if not leaf.signed_by_authority:
        return (RotateLeaf("the serving certificate is of another authority"),)
    if not leaf.names_match:
        return (RotateLeaf("the serving certificate does not fit its key or its Service"),)
    if now >= renew_at(leaf.not_before, leaf.not_after):
        return (RotateLeaf(f"the serving certificate ends at {leaf.not_after.isoformat()}"),)
    return ()
