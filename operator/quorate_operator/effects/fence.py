"""No write without the Lease."""

from typing import Protocol

from quorate.errors import Unavailable


class Holder(Protocol):
    """Knows whether this process may write."""

    @property
    def held(self) -> bool:
        """Whether nobody else can be working now."""


class NotHolding(Unavailable):
    """The Lease is not held, so nothing may be written."""


def check(holder: Holder) -> None:
    """Raise NotHolding unless the Lease is held."""
    if not holder.held:
        raise NotHolding("the operator's Lease is not held any more")
