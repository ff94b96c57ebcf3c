"""How often members contradict each other about this pod's actions: for people to look at.

Their judges differ, so one that denies alone is no fault by itself. But if it becomes common,
something is being tried that not all of them see, or one of them is not well. Every genuine vote is
heard, late ones too. Nothing is decided by it, and nobody is accused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quorate.consensus.wire import JUDGE_FAILED, JUDGE_LATE, SCORE_MAX, Ballot, Verdict

WINDOW_SECONDS: Final = 600.0
ASKS_MAX: Final = 2_048
"""Asks of a window that are remembered; of more, the newest."""
CONTESTED_MIN: Final = 8
CONTESTED_SHARE: Final = 0.2
"""So many in a window, and of all asks in it, are told. Measured on the sets of judges that ship:
honest members contest 1.4 % of everyday requests and 73 % of unsafe ones, so that a pod with
everyday traffic is a false alarm less than once in a year, at whatever pace it asks
(docs/reference/judges.md, ``python -m tools.judges report``)."""
SPREAD: Final = SCORE_MAX * 975 // 1000
"""Scores of one request that lie so far apart are told of, whatever the verdicts. Less is how
judges differ: one that says how unusual a request is gives every score alike often."""
_NO_VERDICT: Final = ((JUDGE_LATE,), (JUDGE_FAILED,))


@dataclass(slots=True)
class _Ask:
    at: float
    low: int
    high: int
    approved: bool = False
    denied: bool = False

    @property
    def contested(self) -> str:
        """By what: ``verdict``, ``score``, or empty."""
        if self.approved and self.denied:
            return "verdict"
        return "score" if self.high - self.low >= SPREAD else ""


class Discord:
    """The asks of the last minutes, by nonce, oldest first."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._asks: dict[bytes, _Ask] = {}

    def heard(self, ballot: Ballot) -> str:
        """Take a genuine ballot in; by what its ask is contested, if it is so only now."""
        if ballot.reasons in _NO_VERDICT:
            return ""
        one = self._asks.get(ballot.nonce)
        if one is None:
            self._forget(self._monotonic(), ASKS_MAX - 1)
            one = _Ask(self._monotonic(), ballot.score, ballot.score)
            self._asks[ballot.nonce] = one
        before = one.contested
        one.low, one.high = min(one.low, ballot.score), max(one.high, ballot.score)
        one.approved |= ballot.verdict is Verdict.APPROVE
        one.denied |= ballot.verdict is Verdict.DENY
        return "" if before else one.contested

    def told(self) -> str:
        """What people should know; empty if members agree well enough."""
        self._forget(self._monotonic(), ASKS_MAX)
        ways = [one.contested for one in self._asks.values()]
        count = len(ways) - ways.count("")
        if count < CONTESTED_MIN or count < CONTESTED_SHARE * len(ways):
            return ""
        verdicts = ways.count("verdict")
        return (
            f"members contradicted each other about {count} of the last {len(ways)} actions they "
            f"were asked about: {verdicts} by verdict, {count - verdicts} by score alone"
        )

    def _forget(self, now: float, keep: int) -> None:
        """Drop what is past, and the oldest beyond ``keep``."""
        past: list[bytes] = []
        for nonce, one in self._asks.items():
            if now - one.at <= WINDOW_SECONDS and len(self._asks) - len(past) <= keep:
                break
            past.append(nonce)
        for nonce in past:
            del self._asks[nonce]
