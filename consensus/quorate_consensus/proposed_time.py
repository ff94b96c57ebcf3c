"""The time that an asker proposes for what is signed.

All members must sign the same bytes, so none of them reads the time from its own clock; each looks
only whether the proposed one is near it. A time of long ago would find evidence that ended since,
one far ahead would stretch the life of what is signed.
"""

from datetime import datetime, timedelta
from typing import Final

from quorate import limits
from quorate.errors import Expired

PAST_SECONDS: Final = 30
"""How long ago it may be: an exchange with a worker's queue, and clocks that differ."""


def check_near(issued_at: datetime, now: datetime) -> None:
    """Raise Expired unless the proposed time is near this member's clock."""
    behind = now - issued_at
    earliest, latest = timedelta(seconds=PAST_SECONDS), timedelta(seconds=limits.CLOCK_SKEW)
    if not -latest <= behind <= earliest:
        raise Expired(
            f"{issued_at.isoformat()} is not near {now.isoformat()}, this member's time: at most "
            f"{PAST_SECONDS} s before it or {limits.CLOCK_SKEW} s after it",
            field="issuedAt",
            fix="set the clocks of the nodes",
        )
