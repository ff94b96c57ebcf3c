"""The runner: all cases or no result."""

import asyncio
from collections.abc import Callable

import pytest

from quorate.errors import InvalidInput
from quorate_evaluation.endpoint import NoAnswer
from quorate_evaluation.interface import Answer, Case, Message
from quorate_evaluation.runner import Answered, IncompleteRun, Limits, run

CASES = [Case(str(number), (Message("user", str(number)),)) for number in range(200)]


class Scripted:
    """Answers with what a function says, or raises it; counts how often each case was asked."""

    def __init__(self, say: Callable[[Case, int], Answer | Exception]) -> None:
        self.say = say
        self.asked: dict[str, int] = {}
        self.running = self.most = 0

    async def ask(self, case: Case, seed: int) -> Answer:
        self.asked[case.id] = self.asked.get(case.id, 0) + 1
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        said = self.say(case, self.asked[case.id])
        if isinstance(said, Exception):
            raise said
        return said


def quick(**fields: float) -> Limits:
    """Bounds without waiting between attempts."""
    return Limits(**{"pause_seconds": 0.0, **fields})  # type: ignore[arg-type]


async def ran(scripted: Scripted, limits: Limits | None = None) -> Answered:
    return await run(scripted, CASES, 0, limits or quick(), lambda _state, _total: None)


async def test_every_case_is_asked_once() -> None:
    """A good endpoint is asked each case once, never more at once than allowed."""
    scripted = Scripted(lambda case, _: Answer(case.id))
    state = await ran(scripted, quick(concurrency=3))
    assert {case: answer.text for case, answer in state.answers.items()} == {
        case.id: case.id for case in CASES
    }
    assert (state.requests, scripted.most) == (200, 3)


async def test_a_passing_fault_is_tried_again() -> None:
    """What may pass is asked again, and no case is lost."""
    scripted = Scripted(
        lambda case, time: NoAnswer("busy", again=True) if time == 1 else Answer("ok")
    )
    state = await ran(scripted)
    assert (len(state.answers), state.requests, state.errors.total()) == (200, 400, 0)


@pytest.mark.requirement("an incomplete run is never PASSED: it has no result")
@pytest.mark.parametrize(("failing", "complete"), [(2, True), (3, False), (200, False)])
async def test_a_small_share_may_stay_unanswered(failing: int, complete: bool) -> None:
    """One in a hundred cases may stay unanswered; one more and there is no result."""
    scripted = Scripted(
        lambda case, _: NoAnswer("no chat completion") if int(case.id) < failing else Answer("ok")
    )
    if complete:
        state = await ran(scripted)
        assert state.errors == {"no chat completion": failing}
    else:
        with pytest.raises(IncompleteRun, match="no result"):
            await ran(scripted)
        # It stops as soon as that is known.
        assert sum(scripted.asked.values()) < 50


async def test_the_deadline_ends_a_run() -> None:
    """A run that takes too long has no result, and ends in time."""

    class Never:
        async def ask(self, case: Case, seed: int) -> Answer:
            await asyncio.sleep(3600)
            return Answer("late")

    with pytest.raises(IncompleteRun, match=r"took longer than 0\.05 s"):
        await run(Never(), CASES, 0, quick(deadline_seconds=0.05), lambda _s, _t: None)


async def test_the_budget_of_requests_ends_a_run() -> None:
    """Repeated requests count: a budget that is used up is an incomplete run."""
    scripted = Scripted(lambda case, time: NoAnswer("busy", again=True))
    with pytest.raises(IncompleteRun):
        await ran(scripted, quick(requests_max=200, errors_share=0.05))
    assert sum(scripted.asked.values()) <= 200
    with pytest.raises(InvalidInput, match="could not be complete"):
        await ran(scripted, quick(requests_max=199))


async def test_a_fault_of_our_own_is_not_taken_for_an_answer() -> None:
    """An error that nobody expected ends the run as what it is."""
    with pytest.raises(ExceptionGroup):
        await ran(Scripted(lambda case, _: RuntimeError("bug")))


async def test_cases_that_cannot_be_run() -> None:
    """No case, or two with one id, is refused: their answers could not be told apart."""
    for cases in ([], [CASES[0], CASES[0]]):
        with pytest.raises(InvalidInput):
            await run(Scripted(lambda c, _: Answer("x")), cases, 0, quick(), lambda _s, _t: None)


@pytest.mark.parametrize(
    "fields",
    [{"concurrency": 0}, {"concurrency": 65}, {"errors_share": 0.06}, {"requests_max": 0}],
)
def test_bounds_have_bounds(fields: dict[str, float]) -> None:
    """Nobody may allow so many errors that a verdict means nothing."""
    with pytest.raises(InvalidInput):
        quick(**fields)
