"""The sidecar's metrics: what :mod:`quorate.telemetry.names` lists, counted cheaply.

A request touches half a dozen metrics. Prometheus' own counters take a lock and several calls each;
here it is one dictionary update on the event loop's thread, and the text is made when asked for.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from quorate.telemetry import names
from quorate_sidecar.checks.lane import Tally

Labels = tuple[str, ...]
ALL = tuple(
    metric
    for metric in vars(names).values()
    if isinstance(metric, names.Metric) and metric.name.startswith(f"{names.PREFIX}sidecar_")
)


class _Histogram:
    """Counts by bucket, not cumulated, and the sum of what was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, float]]:
        """Buckets as Prometheus writes them."""
        found, count = [], 0
        for bound, more in zip([*self.bounds, float("inf")], self.counts, strict=True):
            count += more
            found.append(("+Inf" if bound == float("inf") else str(float(bound)), float(count)))
        return found


class Metrics(Collector):
    """All of them. To be used on the event loop's thread only; a scrape is served there too."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._counts: dict[str, dict[Labels, float]] = defaultdict(dict)
        self._histograms: dict[str, dict[Labels, _Histogram]] = defaultdict(dict)
        self._gauges: dict[str, Callable[[], float]] = {}
        registry.register(self)

    def request(self, path: str, outcome: str, code: str, seconds: float) -> None:
        """Count a finished request."""
        self.count(names.SIDECAR_REQUESTS, path, outcome, code)
        self._observe(names.SIDECAR_DURATION, path, seconds)

    def overhead(self, path: str, seconds: float) -> None:
        """Note the time added to a request."""
        self._observe(names.SIDECAR_OVERHEAD, path, seconds)

    def action(self, band: str, decision: str, cause: str, decided_by: str, seconds: float) -> None:
        """Count an action that was decided about, and the time that took."""
        self.count(names.SIDECAR_ACTIONS, band, decision, cause)
        self._observe(names.SIDECAR_ACTION_SECONDS, decided_by, seconds)

    def findings(self, tally: Tally, direction: str) -> None:
        """Count what the checks found in one direction of an exchange."""
        for (check, _, action), found in tally.items():
            self.count(names.SIDECAR_FINDINGS, check, direction, action, by=found)

    def count(self, metric: names.Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter. Label values come from code, never from a client."""
        counts = self._counts[metric.name]
        counts[labels] = counts.get(labels, 0) + by

    def gauge(self, metric: names.Metric, read: Callable[[], float]) -> None:
        """Read a gauge this way whenever it is asked for."""
        self._gauges[metric.name] = read

    def collect(self) -> Iterator[Metric]:
        """Everything, for a scrape. Metrics nothing was counted for yet are there without values,
        but for counters without labels: those begin at nought, so that an increase shows."""
        for metric in ALL:
            if metric.kind == "counter":
                yield self._counter(metric)
            elif metric.kind == "histogram":
                yield self._histogram(metric)
            elif metric.name in self._gauges:
                value = self._gauges[metric.name]()
                yield GaugeMetricFamily(metric.name, metric.help, value)

    def _observe(self, metric: names.Metric, path: str, seconds: float) -> None:
        histograms = self._histograms[metric.name]
        found = histograms.get((path,))
        if found is None:
            found = histograms[(path,)] = _Histogram(metric.buckets)
        found.observe(seconds)

    def _counter(self, metric: names.Metric) -> Metric:
        family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        counts = self._counts[metric.name] or ({} if metric.labels else {(): 0.0})
        for labels, value in counts.items():
            family.add_metric(list(labels), value)
        return family

    def _histogram(self, metric: names.Metric) -> Metric:
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, found in self._histograms[metric.name].items():
            family.add_metric(list(labels), found.cumulated(), found.total)
        return family
