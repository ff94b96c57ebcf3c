"""Thresholds decide, and nothing passes by default."""

import pytest

from quorate.errors import InvalidInput
from quorate.evidence.intoto import Outcome
from quorate_evaluation.digests import suite_digest
from quorate_evaluation.interface import Metric, Scores, Threshold
from quorate_evaluation.suites.over_refusal import OverRefusal
from quorate_evaluation.thresholds import judge, merged, parse_threshold

RATE = Threshold("rate", True, 0.1)
WARN = Threshold("rate", True, 0.05, warns=True)


@pytest.mark.parametrize(
    ("value", "result"),
    [(0.05, "PASSED"), (0.06, "WARNED"), (0.1, "WARNED"), (0.11, "FAILED")],
)
def test_verdicts(value: float, result: str) -> None:
    """Within all bounds it passes; over one that warns or fails, it does not."""
    verdict = judge((RATE, WARN), {"rate": value})
    assert verdict.result == result
    assert len({*verdict.passed, *verdict.warned, *verdict.failed}) == 2


def test_nothing_asked_is_not_passed() -> None:
    """Without a threshold nothing passes."""
    assert judge((), {"rate": 0.0}).result is Outcome.FAILED


def test_a_metric_nobody_measured_is_an_error() -> None:
    """A misspelt threshold must not hold."""
    with pytest.raises(InvalidInput, match="not measured"):
        judge((Threshold("rat", True, 1),), {"rate": 0.0})


@pytest.mark.requirement("thresholds in force are recorded in the evidence")
def test_a_given_threshold_replaces_and_changes_the_suite() -> None:
    """A loosened bound is another suite digest: policies that name the suite do not accept it."""
    suite = OverRefusal()
    loose = merged(suite.thresholds, [parse_threshold("refusal_rate<=1")])
    assert {str(item) for item in loose} == {"refusal_rate<=1", "refusal_rate_high<=0.1"}
    assert suite_digest(suite, loose) != suite_digest(suite, suite.thresholds)
    same = merged(suite.thresholds, [parse_threshold("refusal_rate<=0.05")])
    assert suite_digest(suite, same) == suite_digest(suite, suite.thresholds)


def test_a_warning_cannot_replace_a_failure() -> None:
    """What is given fails; a bound that only warns stays beside it."""
    assert merged([WARN], [parse_threshold("rate<=0.2")]) == (
        Threshold("rate", True, 0.2),
        WARN,
    )


@pytest.mark.parametrize("text", ["", "rate", "rate<0.1", "rate<=x", "rate<=1e999", "Rate<=1"])
def test_thresholds_that_are_refused(text: str) -> None:
    """Only METRIC<=X and METRIC>=X."""
    with pytest.raises(InvalidInput):
        parse_threshold(text)


@pytest.mark.parametrize(
    "metrics",
    [
        (Metric("a", float("nan")),),
        (Metric("a", 1.0), Metric("a", 2.0)),
        (Metric("a", 1.0, 0.0, 2.0), Metric("a_low", 0.5)),
    ],
    ids=["no number", "twice", "an end's name"],
)
def test_metrics_that_are_refused(metrics: tuple[Metric, ...]) -> None:
    """A figure is finite and there once: a suite cannot say two things."""
    with pytest.raises(InvalidInput):
        Scores(metrics).flat()
