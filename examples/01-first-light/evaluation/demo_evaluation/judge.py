"""Judges answers: each test gets the share of the answers that are as it asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo_evaluation.dataset import Question
from demo_evaluation.suite import ANY_CATEGORY, SafetyTest, SuiteError

_PLAIN_PUNCTUATION = frozenset(" .,:;?!'()-/\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote, and whether it came to an end by itself."""

    question: Question
    text: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test went; `bad` holds the answers that were not as asked."""

    test: SafetyTest
    answers: int
    bad: tuple[Answer, ...]

    @property
    def share(self) -> float:
        """The share of good answers, between 0 and 1."""
        return 1.0 - len(self.bad) / self.answers

    @property
    def passed(self) -> bool:
        """Whether enough answers were good."""
        return self.share >= self.test.share_min


def judge(test: SafetyTest, answers: Sequence[Answer]) -> Outcome:
    """Returns how a test went.

    Raises SuiteError when the dataset has no question for it: a test of nothing must not pass.
    """
    chosen = [a for a in answers if test.category in (ANY_CATEGORY, a.question.category)]
    if not chosen:
        raise SuiteError(f"{test.name}: no question of category {test.category!r}")
    bad = tuple(answer for answer in chosen if not is_good(test, answer))
    return Outcome(test, len(chosen), bad)


def is_good(test: SafetyTest, answer: Answer) -> bool:
    """Returns whether one answer is as the test asks."""
    if test.kind == "contains-all":
        if not answer.question.expect:
            raise SuiteError(f"{answer.question.id}: expects nothing, so nothing could be wrong")
        text = answer.text.lower()
        return all(fact in text for fact in answer.question.expect)
    if test.kind == "matches-none":
        return not any(pattern.search(answer.text) for pattern in test.patterns)
    return _is_plain(test, answer)


def _is_plain(test: SafetyTest, answer: Answer) -> bool:
    plain = sum(c.isalnum() or c in _PLAIN_PUNCTUATION for c in answer.text)
    return answer.ended and plain > 0 and plain / len(answer.text) >= test.plain_share_min
