"""The panel: one judgement in time, whatever a judge does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.consensus import wire
from quorate.consensus.request import Request
from quorate.consensus.wire import REASONS_MAX, Verdict
from quorate.errors import InvalidInput
from quorate_consensus.judges.opinion import Failure, Identity, Opinion
from quorate_consensus.judges.panel import (
    ABANDONED_MAX,
    AT_ONCE_BYTES,
    MALFORMED,
    Panel,
    combine,
    judges_digest,
)
from quorate_consensus.judges.reader import OnThread
from tests.fakes.asking import encoded, request, user

YES = Opinion(Verdict.APPROVE, 100)
NO = Opinion(Verdict.DENY, 800, ("Bad",))
ASK = encoded(request(user("hello")))


class Scripted:
    """A judge that does what a test says."""

    def __init__(
        self, name: str, act: Callable[[], Awaitable[Any]], deadline_ms: int = 200
    ) -> None:
        self.identity = Identity(name, 1, "")
        self.deadline_ms = deadline_ms
        self._act = act

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """The scripted answer, of whatever type."""
        said: Opinion = await self._act()
        return said


def says(value: Any) -> Callable[[], Awaitable[Any]]:
    """An act that answers at once."""

    async def act() -> Any:
        return value

    return act


def raises(error: BaseException) -> Callable[[], Awaitable[Any]]:
    """An act that fails."""

    async def act() -> Any:
        raise error

    return act


async def stuck() -> Any:
    """An act that does not let itself be cancelled."""
    while True:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            return YES


async def slow() -> Any:
    """An act that takes for ever."""
    await asyncio.sleep(60)


@pytest.mark.requirement("judges: any DENY denies, the highest score counts, any hard is hard")
async def test_all_must_approve() -> None:
    """One denial among approvals denies; score is the highest; its reasons name the judge."""
    panel = Panel([Scripted("a", says(YES)), Scripted("b", says(NO))])
    judged = await panel.judge(ASK, 500)
    assert (judged.verdict, judged.score, judged.hard) == (Verdict.DENY, 800, False)
    assert judged.reasons == ("b/Bad",)
    approved = await Panel([Scripted("a", says(YES)), Scripted("b", says(YES))]).judge(ASK, 500)
    assert (approved.verdict, approved.score, approved.reasons) == (Verdict.APPROVE, 100, ())


@pytest.mark.requirement("judges: a judge's error, timeout or malformed answer is a DENY")
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (raises(ValueError("x")), Failure.ERROR),
        (raises(asyncio.CancelledError()), Failure.ERROR),
        (raises(TimeoutError()), Failure.ERROR),
        (raises(RecursionError()), Failure.ERROR),
        (slow, Failure.LATE),
        (stuck, Failure.LATE),
        (says(None), Failure.MALFORMED),
        (says(True), Failure.MALFORMED),
        (says((Verdict.APPROVE, 0)), Failure.MALFORMED),
        (says(Opinion(1, 0)), Failure.MALFORMED),  # type: ignore[arg-type]
        (says(Opinion(Verdict.APPROVE, 1001)), Failure.MALFORMED),
        (says(Opinion(Verdict.APPROVE, -1)), Failure.MALFORMED),
        (says(Opinion(Verdict.APPROVE, True)), Failure.MALFORMED),
        (says(Opinion(Verdict.APPROVE, 0.5)), Failure.MALFORMED),  # type: ignore[arg-type]
        (says(Opinion(Verdict.APPROVE, 0, (), True)), Failure.MALFORMED),
        (says(Opinion(Verdict.DENY, 0)), Failure.MALFORMED),
        (says(Opinion(Verdict.DENY, 0, ("a b",))), Failure.MALFORMED),
        (says(Opinion(Verdict.DENY, 0, ("Bad\n",))), Failure.MALFORMED),
        (says(Opinion(Verdict.DENY, 0, ["Bad"])), Failure.MALFORMED),  # type: ignore[arg-type]
        (says(Opinion(Verdict.DENY, 0, ("Bad",) * 9)), Failure.MALFORMED),
        (says(Opinion(Verdict.DENY, 0, ("A" * 41,))), Failure.MALFORMED),
    ],
)
async def test_a_judge_that_does_not_answer_has_denied(
    act: Callable[[], Awaitable[Any]], reason: Failure
) -> None:
    """Whatever goes wrong with one judge is a DENY with a stable word, in time, and not hard."""
    panel = Panel([Scripted("good", says(YES)), Scripted("odd", act, deadline_ms=50)])
    begin = time.monotonic()
    judged = await panel.judge(ASK, 5_000)
    assert time.monotonic() - begin < 2
    assert (judged.verdict, judged.score, judged.hard) == (Verdict.DENY, 1000, False)
    late = reason in (Failure.LATE, Failure.OVERLOADED)
    assert judged.reasons == (wire.JUDGE_LATE if late else wire.JUDGE_FAILED,)


async def test_a_failure_beside_a_denial_is_named() -> None:
    """If one judge denies and another fails, it is a verdict, and both are named."""
    panel = Panel([Scripted("a", says(NO)), Scripted("b", raises(ValueError()))])
    assert (await panel.judge(ASK, 500)).reasons == ("a/Bad", "b/JudgeFailed")


async def test_the_asker_may_wait_less_than_a_judge() -> None:
    """What is left of the ask bounds every judge, however long its own deadline is."""
    begin = time.monotonic()
    judged = await Panel([Scripted("a", slow, deadline_ms=60_000)]).judge(ASK, 60)
    assert time.monotonic() - begin < 1
    assert judged.reasons == (wire.JUDGE_LATE,)


@pytest.mark.parametrize("left_ms", [5, 0, -1])
async def test_no_time_is_a_denial(left_ms: int) -> None:
    """Without time nobody is asked."""
    judged = await Panel([Scripted("a", says(YES))]).judge(ASK, left_ms)
    assert (judged.verdict, judged.reasons) == (Verdict.DENY, (wire.JUDGE_LATE,))


@pytest.mark.parametrize("data", [b"", b"{}", ASK + b" ", b"\xff" * 70_000])
async def test_what_cannot_be_read_is_denied(data: bytes) -> None:
    """Bytes that are no canonical request reach no judge."""
    judged = await Panel([Scripted("a", raises(AssertionError()))]).judge(data, 500)
    assert (judged.verdict, judged.reasons, judged.hard) == (Verdict.DENY, (MALFORMED,), False)


async def test_judges_that_never_end_are_not_asked_for_ever() -> None:
    """With too many judges still running nobody is asked, and that is a DENY at once."""
    asked = 0

    async def deaf() -> Any:
        nonlocal asked
        asked += 1
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return YES

    release = asyncio.Event()
    panel = Panel([Scripted("deaf", deaf, deadline_ms=1)])
    await asyncio.gather(*(panel.judge(ASK, 1_000) for _ in range(ABANDONED_MAX)))
    judged = await panel.judge(ASK, 1_000)
    release.set()
    assert judged.reasons == (wire.JUDGE_LATE,)
    assert asked == ABANDONED_MAX


async def test_giving_up_a_judgement_gives_up_its_judges() -> None:
    """Whoever cancels a judgement is obeyed at once."""
    task = asyncio.create_task(Panel([Scripted("a", stuck, deadline_ms=60_000)]).judge(ASK, 9_000))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)


class Blocking:
    """A reader that blocks its thread."""

    identity = Identity("blocking", 1, "")

    def read(self, request: Request) -> Opinion:
        """Late."""
        time.sleep(0.3)
        return YES


async def test_a_reader_that_blocks_its_thread_is_late() -> None:
    """The loop is not held, the answer is a DENY, and what waited for the thread never runs."""
    with ThreadPoolExecutor(1) as workers:
        panel = Panel([OnThread(Blocking(), workers, 50)])
        begin = time.monotonic()
        judged = await asyncio.gather(*(panel.judge(ASK, 1_000) for _ in range(20)))
        assert time.monotonic() - begin < 0.25
        assert {one.reasons for one in judged} == {(wire.JUDGE_LATE,)}
    assert time.monotonic() - begin < 1


def test_a_panel_needs_judges_of_different_names() -> None:
    """None, or two of one name, is no panel."""
    for judges in ([], [Scripted("a", says(YES)), Scripted("a", says(NO))]):
        with pytest.raises(InvalidInput):
            Panel(judges)


def test_the_digest_is_of_names_versions_and_artefacts() -> None:
    """Any of the three makes another digest; the order of the judges does not."""
    one, two = Identity("a", 1, ""), Identity("b", 1, f"sha256:{'0' * 64}")
    base = judges_digest([one, two])
    assert judges_digest([two, one]) == base
    assert len(base) == 32
    others = [
        [one],
        [one, Identity("b", 2, two.artefact)],
        [one, Identity("b", 1, f"sha256:{'1' * 64}")],
        [one, Identity("c", 1, two.artefact)],
    ]
    assert len({base, *map(judges_digest, others)}) == 5


opinions = st.builds(
    lambda deny, score, words, hard: Opinion(
        Verdict.DENY if deny else Verdict.APPROVE,
        score,
        tuple(words) or (("Word",) if deny else ()),
        hard and deny,
    ),
    st.booleans(),
    st.integers(0, 1000),
    st.lists(st.sampled_from(["One", "Two", "Three"]), max_size=REASONS_MAX),
    st.booleans(),
)


@given(st.lists(opinions, max_size=9))
def test_combining(said: list[Opinion]) -> None:
    """For any opinions: APPROVE only if all approve, the maximum, hard if any is, few reasons, and
    every judge that denied is named if there is room for each."""
    judged = combine([(f"j{i}", opinion) for i, opinion in enumerate(said)])
    denied = [i for i, opinion in enumerate(said) if opinion.verdict is Verdict.DENY]
    assert (judged.verdict is Verdict.APPROVE) == (bool(said) and not denied)
    assert judged.score == max((opinion.score for opinion in said), default=1000)
    assert judged.hard == any(opinion.hard for opinion in said)
    assert len(judged.reasons) <= REASONS_MAX
    assert all(len(reason) <= 64 for reason in judged.reasons)
    if len(denied) <= REASONS_MAX:
        assert {reason.partition("/")[0] for reason in judged.reasons} >= {f"j{i}" for i in denied}


class Prompt(Scripted):
    """A judge that may have its answer at once."""

    def __init__(self, name: str, act: Callable[[], Any], deadline_ms: int = 200) -> None:
        super().__init__(name, says(YES), deadline_ms)
        self._now = act

    def at_once(self, request: Request) -> Any:
        """The scripted answer, of whatever type."""
        return self._now()


def fails() -> Any:
    """An act that raises."""
    raise ValueError


def dawdles() -> Any:
    """An act that takes longer than it may."""
    time.sleep(0.05)
    return YES


@pytest.mark.parametrize(
    ("acts", "verdict", "reasons"),
    [
        ([lambda: YES, lambda: YES], Verdict.APPROVE, ()),
        ([lambda: YES, lambda: NO], Verdict.DENY, ("b/Bad",)),
        ([lambda: YES, fails], Verdict.DENY, (wire.JUDGE_FAILED,)),
        ([lambda: YES, lambda: "yes"], Verdict.DENY, (wire.JUDGE_FAILED,)),
        ([lambda: YES, dawdles], Verdict.DENY, (wire.JUDGE_LATE,)),
        ([dawdles, lambda: YES], Verdict.DENY, (wire.JUDGE_LATE,)),
    ],
)
def test_a_small_request_is_judged_at_once_by_the_same_rules(
    acts: list[Callable[[], Any]], verdict: Verdict, reasons: tuple[str, ...]
) -> None:
    """Any DENY denies; a judge that fails, talks nonsense or takes too long has denied."""
    panel = Panel([Prompt(name, act, 20) for name, act in zip("ab", acts, strict=True)])
    judgement = panel.at_once(ASK, 200)
    assert judgement is not None
    assert (judgement.verdict, judgement.reasons) == (verdict, reasons)


def test_the_askers_time_bounds_judges_at_once() -> None:
    """Who has less time left than a judge may take is denied when that is over."""
    judgement = Panel([Prompt("a", dawdles, 5_000)]).at_once(ASK, 30)
    assert judgement is not None
    assert judgement.reasons == (wire.JUDGE_LATE,)


def test_what_has_to_be_waited_for_is_not_judged_at_once() -> None:
    """A large request, a judge that must wait, or that never says: somebody else has to ask."""
    large = encoded(request(user("x" * AT_ONCE_BYTES)))
    assert Panel([Prompt("a", lambda: YES)]).at_once(large, 200) is None
    assert Panel([Prompt("a", lambda: YES), Prompt("b", lambda: None)]).at_once(ASK, 200) is None
    assert Panel([Prompt("a", lambda: YES), Scripted("b", says(YES))]).at_once(ASK, 200) is None
    assert Panel([Prompt("a", lambda: YES)]).at_once(ASK, 0) is None


def test_nonsense_is_denied_at_once() -> None:
    """What is no request is denied without asking a judge."""
    judgement = Panel([Prompt("a", fails)]).at_once(b"{}", 200)
    assert judgement is not None
    assert judgement.reasons == (MALFORMED,)
