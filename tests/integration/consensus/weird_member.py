"""The member's own program with one thing bent: what a member does that was broken into, or fails.

    python3 -m tests.integration.consensus.weird_member FILE serve …

FILE says how it is at that moment, so that one process is honest, lies, and is honest again. No
file, or an empty one, is an honest member. Its keys, its TLS and its store are real.
"""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from quorate.consensus import member as core
from quorate.consensus import signing
from quorate.consensus.member import Judgement, Key
from quorate.consensus.signing import VoteSigner
from quorate.consensus.wire import Ballot, Signed, Verdict
from quorate_consensus import __main__ as program
from quorate_consensus.judges.panel import Panel
from quorate_consensus.votes.store import VoteStore
from quorate_io.clock import SystemClock

APPROVE = Judgement(Verdict.APPROVE, 0)
DENY = Judgement(Verdict.DENY, 900, ("weird/Weird",))


class Weird(StrEnum):
    """How it is weird."""

    NOT = ""
    ALWAYS_YES = "always-yes"
    FLIP_FLOP = "flip-flop"
    """It forgets what it said, and says the other thing each time."""
    LIES = "lies"
    """Each answer is another lie: see :func:`lie`."""
    CLOCK = "clock"
    """Followed by seconds: its clock is so far ahead."""


def lie(ballot: Ballot) -> Ballot:
    """The opposite; and after that also at a place where something else stood, in another's name,
    about another ask, of another epoch, of another life."""
    other = APPROVE if ballot.verdict is Verdict.DENY else DENY
    inverted = msgspec.structs.replace(
        ballot, verdict=other.verdict, hard=False, score=other.score, reasons=other.reasons
    )
    further: tuple[dict[str, object], ...] = (
        {},
        {"sequence": 1, "previous": core.NO_BALLOT},
        {"member": "1"},
        {"nonce": bytes(16)},
        {"epoch": bytes(32)},
        {"incarnation": ballot.incarnation + 1},
    )
    return msgspec.structs.replace(inverted, **further[ballot.sequence % len(further)])


def bend(state: Path) -> None:
    """Have this process do what ``state`` says."""

    def now_is() -> tuple[str, str]:
        try:
            how, _, what = state.read_text().partition(" ")
        except OSError:
            return Weird.NOT, ""
        return how, what

    _bend_judging(now_is)
    _bend_signing(now_is)
    _bend_clock(now_is)


def _bend_judging(now_is: Callable[[], tuple[str, str]]) -> None:
    judge, find, turns = Panel.judge, VoteStore.find, Counter[bytes]()

    async def bent(self: Panel, request: bytes, left_ms: int) -> Judgement:
        match now_is():
            case Weird.ALWAYS_YES, _:
                return APPROVE
            case Weird.FLIP_FLOP, _:
                turns[request] += 1
                return DENY if turns[request] % 2 else APPROVE
        return await judge(self, request, left_ms)

    def forgetful(self: VoteStore, epoch: bytes, key: Key) -> Judgement | None:
        return None if now_is()[0] == Weird.FLIP_FLOP else find(self, epoch, key)

    def waits(self: Panel, request: bytes, left_ms: int) -> None:
        """So that all is judged by the bent way."""

    Panel.judge = bent  # type: ignore[method-assign]
    Panel.at_once = waits  # type: ignore[method-assign]
    VoteStore.find = forgetful  # type: ignore[method-assign]


def _bend_signing(now_is: Callable[[], tuple[str, str]]) -> None:
    def bent(ballot: Ballot, signer: VoteSigner) -> Signed:
        lies = now_is()[0] == Weird.LIES
        return signing.sign_ballot(lie(ballot) if lies else ballot, signer)

    core.sign_ballot = bent  # type: ignore[attr-defined]


def _bend_clock(now_is: Callable[[], tuple[str, str]]) -> None:
    now = SystemClock.now

    def bent(self: SystemClock) -> datetime:
        how, seconds = now_is()
        ahead = float(seconds) if how == Weird.CLOCK else 0.0
        return now(self) + timedelta(seconds=ahead)

    SystemClock.now = bent  # type: ignore[method-assign]


if __name__ == "__main__":
    bend(Path(sys.argv.pop(1)))
    sys.exit(program.main())
