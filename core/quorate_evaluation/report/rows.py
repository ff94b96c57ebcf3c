"""A run as rows of text, the same on a terminal and on a page."""

from quorate_evaluation.evaluation import Evaluation
from quorate_evaluation.interface import Metric

HEADER = ("METRIC", "VALUE", "95 % INTERVAL", "THRESHOLD")


def rows(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """One row a metric, with the thresholds on it."""
    return [
        (metric.name, number(metric.value), interval(metric), _bounds(evaluation, metric.name))
        for metric in evaluation.metrics
    ]


def number(value: float) -> str:
    """A figure in at most four digits after the point."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def interval(metric: Metric) -> str:
    """The interval, or a dash."""
    if metric.low is None or metric.high is None:
        return "-"
    return f"{number(metric.low)} to {number(metric.high)}"


def _bounds(evaluation: Evaluation, name: str) -> str:
    written = []
    values = evaluation.run.metrics
    for threshold in evaluation.thresholds:
        if threshold.metric in (name, f"{name}_low", f"{name}_high"):
            held = threshold.holds(values[threshold.metric])
            word = "held" if held else "warns" if threshold.warns else "broken"
            written.append(f"{threshold} {word}")
    return "; ".join(written) or "-"
