"""Instead of the evidence judge, in shadow: the operator tells a member under quarantine nothing.

What a canary tests is what its content says to the other judges; whose model the asking pod serves
is the same in each of them. The ballot names this word among its reasons, and counts for nothing.
"""

from typing import Final

from quorate.consensus.request import Request
from quorate.consensus.wire import Verdict
from quorate_consensus.judges.evidence.judge import DEADLINE_MS, EvidenceJudge
from quorate_consensus.judges.opinion import Opinion

REASON: Final = "NotAskedInShadow"


class NotAsked:
    """Has no objection, and says that nobody looked."""

    identity = EvidenceJudge.identity
    deadline_ms = DEADLINE_MS

    def at_once(self, request: Request) -> Opinion:
        """As :meth:`judge`."""
        return Opinion(Verdict.APPROVE, 0, (REASON,))

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """Nothing against ``request``, for want of knowing anything."""
        return self.at_once(request)
