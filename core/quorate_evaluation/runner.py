"""Ask all cases of a suite, within bounds. An incomplete run has no result.

What failed is counted, and more than a small share of failures ends the run: a verdict over the
cases that happened to be answered could be had by answering only the harmless ones.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from quorate.errors import InvalidInput, Unavailable
from quorate_evaluation.endpoint import NoAnswer
from quorate_evaluation.interface import Answer, Case

CASES_MAX: Final = 20_000
ERRORS_SHARE: Final = 0.01
"""Cases that may stay unanswered before there is no result."""
ATTEMPTS: Final = 3
"""Times one case is asked, where asking again may help."""
PAUSE_SECONDS: Final = 0.5
_NAMED: Final = 3


class IncompleteRun(Unavailable):
    """Too little was answered for any verdict."""


class Asker(Protocol):
    """Something that answers cases."""

    async def ask(self, case: Case, seed: int) -> Answer:
        """Answer one case. Raises NoAnswer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. ``requests_max`` counts every request, repeated ones too."""

    concurrency: int = 4
    requests_max: int = CASES_MAX
    deadline_seconds: float = 3600.0
    errors_share: float = ERRORS_SHARE
    pause_seconds: float = PAUSE_SECONDS

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 64:
            raise InvalidInput("must be 1 to 64", field="--concurrency")
        if not 0 <= self.errors_share <= 0.05:
            raise InvalidInput("must be 0 to 0.05", field="--errors-max")
        if self.requests_max < 1 or self.deadline_seconds <= 0:
            raise InvalidInput("must be more than 0", field="--requests-max, --deadline")


@dataclass(slots=True)
class Answered:
    """What a run has so far. ``errors`` counts unanswered cases by why."""

    answers: dict[str, Answer] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    @property
    def done(self) -> int:
        """Cases that are over, one way or the other."""
        return len(self.answers) + self.errors.total()


Said = Callable[[Answered, int], None]
"""Told how far the run is: what there is, and how many cases in all."""


async def run(
    asker: Asker, cases: Sequence[Case], seed: int, limits: Limits, said: Said
) -> Answered:
    """Ask every case. Raises IncompleteRun as soon as there can be no result."""
    _check(cases, limits)
    state = Answered()
    queue = iter(cases)
    errors_max = int(limits.errors_share * len(cases))

    async def work() -> None:
        for case in queue:
            await _one(asker, case, seed, limits, state)
            said(state, len(cases))
            if state.errors.total() > errors_max:
                raise _incomplete(state, len(cases))

    try:
        async with asyncio.timeout(limits.deadline_seconds), asyncio.TaskGroup() as group:
            for _ in range(min(limits.concurrency, len(cases))):
                group.create_task(work())
    except TimeoutError:
        state.errors[f"the run took longer than {limits.deadline_seconds:g} s"] += 1
        raise _incomplete(state, len(cases)) from None
    except BaseExceptionGroup as group:
        # The first to find that there can be no result ended the others.
        incomplete, other = group.split(IncompleteRun)
        if other is not None or incomplete is None:
            raise
        raise _incomplete(state, len(cases)) from None
    if len(state.answers) + errors_max < len(cases) or not state.answers:
        raise _incomplete(state, len(cases))
    return state


def _check(cases: Sequence[Case], limits: Limits) -> None:
    if not 0 < len(cases) <= CASES_MAX:
        raise InvalidInput(f"has {len(cases)} cases; 1 to {CASES_MAX} can be run", field="suite")
    if len({case.id for case in cases}) != len(cases):
        raise InvalidInput("has two cases with one id", field="suite")
    if limits.requests_max < len(cases):
        raise InvalidInput(
            f"is less than the suite's {len(cases)} cases: the run could not be complete",
            field="--requests-max",
        )


async def _one(asker: Asker, case: Case, seed: int, limits: Limits, state: Answered) -> None:
    for attempt in range(ATTEMPTS):
        if state.requests >= limits.requests_max:
            state.errors["the budget of requests is used up"] += 1
            return
        state.requests += 1
        try:
            state.answers[case.id] = await asker.ask(case, seed)
        except NoAnswer as error:
            if not error.again or attempt == ATTEMPTS - 1:
                state.errors[error.reason] += 1
                return
            await asyncio.sleep(limits.pause_seconds * 2**attempt)
        else:
            return


def _incomplete(state: Answered, total: int) -> IncompleteRun:
    reasons: Mapping[str, int] = dict(state.errors.most_common(_NAMED))
    why = "; ".join(f"{reason} ({number} times)" for reason, number in reasons.items())
    return IncompleteRun(
        f"the run is incomplete, so it has no result: {len(state.answers)} of {total} cases "
        f"were answered; {why}",
        field="endpoint",
        fix="see that the endpoint answers, then run the suite again",
    )
