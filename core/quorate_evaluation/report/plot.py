"""Metrics with intervals as an SVG drawing: a dot, its whiskers, and where the threshold is."""

from html import escape
from typing import Final

from quorate_evaluation.evaluation import Evaluation
from quorate_evaluation.interface import Metric

WIDTH: Final = 720
ROW: Final = 26
LEFT: Final = 230
RIGHT: Final = 30
METRICS_MAX: Final = 40


def plot(evaluation: Evaluation) -> str:
    """The drawing; empty if no metric has an interval."""
    shown = [m for m in evaluation.metrics if m.low is not None and m.high is not None]
    shown = shown[:METRICS_MAX]
    if not shown:
        return ""
    bounds = {
        metric.name: [
            t.bound
            for t in evaluation.thresholds
            if t.metric in (metric.name, f"{metric.name}_low", f"{metric.name}_high")
        ]
        for metric in shown
    }
    scale = _Scale(shown, [bound for many in bounds.values() for bound in many])
    height = ROW * (len(shown) + 1) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="metrics with 95 % intervals" font-size="12" font-family="sans-serif">'
    ]
    for place, metric in enumerate(shown):
        lines += _row(metric, bounds[metric.name], scale, ROW * (place + 0.5) + 5)
    return "\n".join([*lines, *scale.axis(ROW * len(shown) + 8), "</svg>"])


class _Scale:
    def __init__(self, metrics: list[Metric], bounds: list[float]) -> None:
        ends = [m.low or 0.0 for m in metrics] + [m.high or 0.0 for m in metrics]
        self._low = min(0.0, *ends, *bounds)
        self._high = max(0.0, *ends, *bounds)
        if self._high == self._low:
            self._high = self._low + 1.0

    def x(self, value: float) -> float:
        """Where a value is, in the drawing's units."""
        share = (value - self._low) / (self._high - self._low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def axis(self, y: float) -> list[str]:
        """A line with five figures under it."""
        lines = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#98a2b0"/>']
        for step in range(5):
            value = self._low + (self._high - self._low) * step / 4
            lines.append(
                f'<text x="{self.x(value)}" y="{y + 16}" text-anchor="middle">{value:.2g}</text>'
            )
        return lines


def _row(metric: Metric, bounds: list[float], scale: _Scale, y: float) -> list[str]:
    low, high = scale.x(metric.low or 0.0), scale.x(metric.high or 0.0)
    lines = [
        f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(metric.name[:36])}</text>',
        f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke="#3867a8" stroke-width="2"/>',
        f'<circle cx="{scale.x(metric.value)}" cy="{y}" r="4" fill="#3867a8"/>',
    ]
    for bound in bounds:
        at = scale.x(bound)
        lines.append(
            f'<line x1="{at}" x2="{at}" y1="{y - 10}" y2="{y + 10}" stroke="#b3261e" '
            f'stroke-dasharray="3 2"/>'
        )
    return lines
