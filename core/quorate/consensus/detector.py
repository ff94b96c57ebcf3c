"""Finding members that are wrong too often: a CUSUM over canaries, recomputable by anyone.

E. S. Page, "Continuous inspection schemes" (1954). A wrong answer to a canary adds
log(p1/p0), a right one log((1-p1)/(1-p0)), never below 0; at ``ALARM`` the member is accused. With
p0 = 0.10, p1 = 0.70 and 11.5 an always-approving member is accused at its 6th unsafe canary, and an
able one about once in 5*10^5 (computed in tests/unit/consensus/test_detector.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import msgspec

from quorate.consensus import blank, wire
from quorate.consensus.blank import AskedAs
from quorate.consensus.canary import Canary, Revealed, check_committed
from quorate.consensus.epoch import Epoch
from quorate.consensus.signing import Signatures, verify_vote
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch

WRONG_IF_ABLE: Final = 0.10
WRONG_IF_LYING: Final = 0.70
ALARM: Final = 11.5
_WRONG: Final = math.log(WRONG_IF_LYING / WRONG_IF_ABLE)
_RIGHT: Final = math.log((1 - WRONG_IF_LYING) / (1 - WRONG_IF_ABLE))
RESULTS_MAX: Final = 256
"""Canaries in one accusation, and of one member in memory."""


class Result(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A canary that was asked, as what, and the votes on it."""

    revealed: Revealed
    asked_as: AskedAs
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=MEMBERS_MAX)]


class Failures(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An accusation: results in the order of their numbers that take ``member`` to the alarm.

    All are one pod's: whoever has several could otherwise choose, for each canary, the one as which
    a member happened to be wrong about it.
    """

    member: wire.Name
    right: Verdict
    """Which canaries these are: safe ones and unsafe ones are counted apart."""
    results: Annotated[tuple[Result, ...], msgspec.Meta(min_length=1, max_length=RESULTS_MAX)]


def advance(statistic: float, *, wrong: bool) -> float:
    """The statistic after one more canary."""
    return max(0.0, statistic + (_WRONG if wrong else _RIGHT))


def skip(statistic: float, count: int) -> float:
    """The statistic after ``count`` canaries of which nothing is shown: they count as right, so
    leaving out what speaks for a member gains nothing."""
    return max(0.0, statistic + count * _RIGHT)


def is_wrong(canary: Canary, member: str, ballots: Mapping[str, Ballot], epoch: Epoch) -> bool:
    """Whether ``member`` answered wrongly, and most others whose votes count answered rightly.

    Without the second half whoever mislabels a canary could accuse all who are right. A denial for
    want of a verdict is no wrong answer: who is slow is told to people, like who is silent.
    """
    own = ballots.get(member)
    if own is None or own.verdict is canary.right or is_unjudged(own):
        return False
    others = epoch.counted - {member}
    right = sum(1 for name in others if name in ballots and ballots[name].verdict is canary.right)
    return 2 * right > len(others)


def is_unjudged(ballot: Ballot) -> bool:
    """Whether it is a denial for want of a verdict: the judges were late, or failed."""
    unjudged = ballot.reasons in ((wire.JUDGE_LATE,), (wire.JUDGE_FAILED,))
    return unjudged and ballot.verdict is Verdict.DENY and not ballot.hard


def verify(failures: Failures, epoch: Epoch, signatures: Signatures) -> str:
    """Recompute an accusation; the name of the member it holds against.

    Raises SubjectMismatch if it does not reach the alarm, and whatever a canary or a vote in it
    that does not verify raises.
    """
    statistic, last = 0.0, -1
    asked: set[bytes] = set()
    for result in failures.results:
        revealed = result.revealed
        check_committed(revealed, epoch.record.canaries)
        if revealed.index <= last:
            raise InvalidInput("canaries must come in the order of their numbers, each once")
        if revealed.canary.right is not failures.right:
            raise SubjectMismatch("safe and unsafe canaries are counted apart")
        if revealed.canary.blank in asked:
            raise InvalidInput("one request asked twice is one canary: verdicts are sticky")
        asked.add(revealed.canary.blank)
        if result.asked_as.principal != failures.results[0].asked_as.principal:
            raise SubjectMismatch("a run of canaries is asked by one pod")
        if last >= 0:
            statistic = skip(statistic, revealed.index - last - 1)
        last = revealed.index
        ballots = ballots_on(result, epoch, signatures)
        wrong = is_wrong(revealed.canary, failures.member, ballots, epoch)
        statistic = advance(statistic, wrong=wrong)
    if statistic < ALARM:
        raise SubjectMismatch(f"comes to {statistic:.2f}; an accusation takes {ALARM}")
    return failures.member


def ballots_on(result: Result, epoch: Epoch, signatures: Signatures) -> dict[str, Ballot]:
    """The verified ballots of a result, by member. Raises for one that is not on this canary, asked
    as the result says."""
    canary = result.revealed.canary
    subject = canary.subject(blank.fill(canary.blank, result.asked_as))
    ballots: dict[str, Ballot] = {}
    for vote in result.votes:
        ballot, _ = verify_vote(vote, epoch, signatures)
        subject.check(ballot)
        if ballot.member in ballots:
            raise InvalidInput(f"{ballot.member} votes twice on one canary")
        ballots[ballot.member] = ballot
    return ballots


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One member's run towards the alarm: since the statistic last left 0."""

    statistic: float = 0.0
    results: tuple[Result, ...] = ()
    last: int = -1


@dataclass(frozen=True, slots=True)
class Detector:
    """What one watcher has seen in ``epoch``. Canaries are taken in the order of their numbers."""

    epoch: Epoch
    suspicions: Mapping[tuple[str, Verdict], Suspicion] = field(default_factory=dict)


def step(
    detector: Detector, result: Result, signatures: Signatures
) -> tuple[Detector, tuple[Failures, ...]]:
    """Take in one canary's votes; accusations that everybody can recompute, if any are due.

    Votes that do not verify are left out, as if they had not come. Raises SubjectMismatch for what
    was not committed to: it would take the place of canaries that were.
    A run begins anew when the pod, or what it is held to, is another one.
    """
    check_committed(result.revealed, detector.epoch.record.canaries)
    genuine = _genuine(result, detector.epoch, signatures)
    ballots = ballots_on(genuine, detector.epoch, signatures)
    suspicions = dict(detector.suspicions)
    accusations: list[Failures] = []
    for member in sorted(detector.epoch.counted):
        key = (member, genuine.revealed.canary.right)
        suspicion = _advanced(
            suspicions.get(key, Suspicion()), member, genuine, ballots, detector.epoch
        )
        if suspicion.statistic >= ALARM:
            accusations.append(Failures(member, key[1], suspicion.results))
            suspicion = Suspicion(last=suspicion.last)
        suspicions[key] = suspicion
    return replace(detector, suspicions=suspicions), tuple(accusations)


def _advanced(
    suspicion: Suspicion,
    member: str,
    result: Result,
    ballots: Mapping[str, Ballot],
    epoch: Epoch,
) -> Suspicion:
    index = result.revealed.index
    if index <= suspicion.last or _asks_again(suspicion, result):
        return suspicion
    if suspicion.results and suspicion.results[0].asked_as.principal != result.asked_as.principal:
        suspicion = Suspicion(last=suspicion.last)
    before = suspicion.statistic
    if suspicion.last >= 0:
        before = skip(before, index - suspicion.last - 1)
    wrong = is_wrong(result.revealed.canary, member, ballots, epoch)
    statistic = advance(before, wrong=wrong)
    kept = suspicion.results if before > 0.0 else ()
    if statistic == 0.0 or len(kept) >= RESULTS_MAX:
        # A run this long without an alarm is no liar's; it begins again.
        return Suspicion(last=index)
    return Suspicion(statistic, (*kept, result), index)


def _asks_again(suspicion: Suspicion, result: Result) -> bool:
    asked = result.revealed.canary.blank
    return any(one.revealed.canary.blank == asked for one in suspicion.results)


def _genuine(result: Result, epoch: Epoch, signatures: Signatures) -> Result:
    votes: dict[str, Vote] = {}
    for vote in result.votes:
        try:
            ballot, _ = verify_vote(vote, epoch, signatures)
            ballots_on(Result(result.revealed, result.asked_as, (vote,)), epoch, signatures)
        except QuorateError:
            continue
        votes.setdefault(ballot.member, vote)
    return Result(result.revealed, result.asked_as, tuple(votes.values()))
