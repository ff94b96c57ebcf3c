"""Rates as metrics: a share, its Wilson interval."""

from quorate_evaluation.interface import Metric
from quorate_evaluation.statistics import wilson


def rate(name: str, successes: int, trials: int) -> Metric:
    """The metric of ``successes`` among ``trials``; 0 with all of [0, 1] around it for none."""
    interval = wilson(successes, trials)
    return Metric(name, successes / trials if trials else 0.0, interval.low, interval.high)


def count(name: str, number: int) -> Metric:
    """A count as a metric."""
    return Metric(name, float(number))
