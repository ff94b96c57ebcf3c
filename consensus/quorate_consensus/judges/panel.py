"""A member's judges together: one judgement, in time, whatever any of them does.

Any DENY denies, the highest score counts, and one hard reason makes it hard. A judge that fails, is
late or says what cannot be read has denied.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from quorate import limits
from quorate.canonical import canonical
from quorate.consensus import request as requests
from quorate.consensus.member import Judgement
from quorate.consensus.request import Request
from quorate.consensus.wire import JUDGE_FAILED, JUDGE_LATE, REASONS_MAX, SCORE_MAX, Verdict
from quorate.errors import InvalidInput, QuorateError
from quorate_consensus.judges.opinion import (
    Failure,
    Identity,
    Judge,
    Opinion,
    Prompt,
    check,
    denied,
)

JUDGES_MAX: Final = 16
ABANDONED_MAX: Final = 256
"""Judges still running after their time. More, and nobody is asked until some have ended."""
GUARD_MS: Final = 5
"""Kept of the asker's time for what comes after: the vote has to be signed, kept and sent."""
AT_ONCE_BYTES: Final = 4 * limits.KIB
"""Of a request that may be judged on the event loop. Threads share one interpreter, so handing over
a small one cost more than reading it: about a millisecond for all judges, and 20 for the worst that
was found of this size. A larger one would keep everybody else waiting."""
MALFORMED: Final = "panel/RequestMalformed"
_FAILURES: Final = {
    failure.value: JUDGE_LATE if failure in (Failure.LATE, Failure.OVERLOADED) else JUDGE_FAILED
    for failure in Failure
}
"""A denial for want of a verdict is said in the two words that no detector counts against a
member; which judge it was, the meter knows."""

log = logging.getLogger(__name__)


class Meter(Protocol):
    """What the panel reports as it works."""

    def heard(self, judge: str, opinion: Opinion, seconds: float) -> None:
        """A judge said ``opinion`` after ``seconds``, or was taken to."""


class Unmetered:
    """Reports to nobody."""

    def heard(self, judge: str, opinion: Opinion, seconds: float) -> None:
        """Nothing."""


def judges_digest(identities: Sequence[Identity]) -> bytes:
    """SHA-256 of who judges, by what version of the code and by what artefacts, in any order.

    For ``Ballot.judges``; as ``sha256:<hex>`` for ``Seat.judges``.
    """
    judges = [
        {"name": each.name, "version": each.version, "artefact": each.artefact}
        for each in sorted(identities, key=lambda identity: identity.name)
    ]
    return hashlib.sha256(b"quorate.dev/judges/v1\0" + canonical(judges)).digest()


class Panel:
    """The judges of one member. For one event loop."""

    def __init__(
        self,
        judges: Sequence[Judge],
        meter: Meter | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        parse: Callable[[bytes], Request] = requests.parse,
    ) -> None:
        """``parse`` reads a request; one that remembers spares reading it twice.

        Raises InvalidInput without a judge, with too many, or with two of one name.
        """
        names = [judge.identity.name for judge in judges]
        if not 1 <= len(names) <= JUDGES_MAX or len(set(names)) != len(names):
            raise InvalidInput(f"must be 1 to {JUDGES_MAX}, each once", field="judges")
        self._judges = tuple(judges)
        self._meter = meter or Unmetered()
        self._monotonic = monotonic
        self._parse = parse
        self._abandoned: set[asyncio.Task[Opinion]] = set()
        prompt = [judge for judge in self._judges if isinstance(judge, Prompt)]
        self._prompt = tuple(prompt) if len(prompt) == len(self._judges) else ()
        self.digest = judges_digest([judge.identity for judge in judges])
        """What a member's ballots name as its judges."""

    async def judge(self, request: bytes, left_ms: int) -> Judgement:
        """Judge the bytes of an ask, within ``left_ms``. Raises nothing but being cancelled."""
        try:
            parsed = self._parse(request)
        except QuorateError:
            return Judgement(Verdict.DENY, SCORE_MAX, (MALFORMED,))
        if left_ms <= GUARD_MS:
            return Judgement(Verdict.DENY, SCORE_MAX, (JUDGE_LATE,))
        opinions = await self.opinions(parsed, left_ms - GUARD_MS)
        return combine(opinions)

    def at_once(self, request: bytes, left_ms: int) -> Judgement | None:
        """As :meth:`judge`, without waiting; None if the request is large, or if any judge has to
        wait for something. Raises nothing."""
        if len(request) > AT_ONCE_BYTES or not self._prompt or left_ms <= GUARD_MS:
            return None
        try:
            parsed = self._parse(request)
        except QuorateError:
            return Judgement(Verdict.DENY, SCORE_MAX, (MALFORMED,))
        begin = self._monotonic()
        opinions: list[tuple[str, Opinion]] = []
        for judge, prompt in zip(self._judges, self._prompt, strict=True):
            opinion = self._say(judge, prompt, parsed)
            if opinion is None:
                return None
            seconds = self._monotonic() - begin
            if seconds * 1000 > min(judge.deadline_ms, left_ms - GUARD_MS):
                opinion = denied(Failure.LATE)
            self._meter.heard(judge.identity.name, opinion, seconds)
            opinions.append((judge.identity.name, opinion))
        return combine(opinions)

    def _say(self, judge: Judge, prompt: Prompt, request: Request) -> Opinion | None:
        try:
            said = prompt.at_once(request)
        except Exception as error:  # the boundary: a judge that fails has denied
            return _failed(judge, error)
        return None if said is None else _checked(judge, said)

    async def opinions(self, request: Request, left_ms: int) -> list[tuple[str, Opinion]]:
        """What each judge says, by name, in the order of the panel."""
        asked = [self._hear(judge, request, left_ms) for judge in self._judges]
        said = await asyncio.gather(*asked)
        return [
            (judge.identity.name, opinion)
            for judge, opinion in zip(self._judges, said, strict=True)
        ]

    async def _hear(self, judge: Judge, request: Request, left_ms: int) -> Opinion:
        begin = self._monotonic()
        name = judge.identity.name
        time_ms = min(judge.deadline_ms, left_ms)
        if len(self._abandoned) >= ABANDONED_MAX:
            return denied(Failure.OVERLOADED)
        task = asyncio.create_task(self._ask(judge, request, time_ms), name=f"judge {name}")
        try:
            # Not wait_for: it would wait for a judge that does not let itself be cancelled.
            done, _ = await asyncio.wait({task}, timeout=time_ms / 1000)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if done:
            opinion = task.result()
        else:
            self._abandon(task)
            opinion = denied(Failure.LATE)
        self._meter.heard(name, opinion, self._monotonic() - begin)
        return opinion

    async def _ask(self, judge: Judge, request: Request, left_ms: int) -> Opinion:
        """What a judge says, checked; a DENY if it raises."""
        try:
            said = await judge.judge(request, left_ms)
        except asyncio.CancelledError:
            # A judge may raise this without anybody having cancelled it.
            return denied(Failure.ERROR)
        except Exception as error:  # the boundary: a judge that fails has denied
            return _failed(judge, error)
        return _checked(judge, said)

    def _abandon(self, task: asyncio.Task[Opinion]) -> None:
        """Nobody waits for it any more. Held until it ends, so that it is not lost half way."""
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        task.cancel()


def _failed(judge: Judge, error: Exception) -> Opinion:
    log.warning("judge %s failed: %s", judge.identity.name, type(error).__name__)
    return denied(Failure.ERROR)


def _checked(judge: Judge, said: object) -> Opinion:
    """What it said, if that is an opinion; a DENY if not."""
    try:
        return check(said)
    except InvalidInput as error:
        log.warning("judge %s: %s", judge.identity.name, error)
        return denied(Failure.MALFORMED)


def combine(opinions: Sequence[tuple[str, Opinion]]) -> Judgement:
    """One judgement of several opinions, by the judges' names. Nobody's opinion is a DENY."""
    if not opinions:
        return Judgement(Verdict.DENY, SCORE_MAX, (JUDGE_LATE,))
    denials = [said for said in opinions if said[1].verdict is not Verdict.APPROVE]
    return Judgement(
        verdict=Verdict.DENY if denials else Verdict.APPROVE,
        score=max(opinion.score for _, opinion in opinions),
        reasons=_reasons(opinions),
        hard=any(opinion.hard for _, opinion in denials),
    )


def _reasons(opinions: Sequence[tuple[str, Opinion]]) -> tuple[str, ...]:
    """As many as a ballot takes: denials first, each judge's first word before others' second.

    One word if nobody denied but by failing.
    """
    denials = [said for said in opinions if said[1].verdict is not Verdict.APPROVE]
    failed = {_FAILURES.get(word) for _, opinion in denials for word in opinion.reasons}
    if failed and None not in failed:
        return (JUDGE_FAILED if JUDGE_FAILED in failed else JUDGE_LATE,)
    ranked = sorted(
        (opinion.verdict, place, not opinion.hard, name, word)
        for name, opinion in opinions
        for place, word in enumerate(opinion.reasons)
    )
    found = dict.fromkeys(f"{name}/{word}" for _, _, _, name, word in ranked)
    return tuple(found)[:REASONS_MAX]
