"""The webhook's metrics: the names are the project's, in quorate.telemetry.names.

What every review counts is counted in plain integers on the event loop, and put into the library's
form when somebody scrapes: its counters take locks that a review need not pay for.
"""

from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from quorate.telemetry import names
from quorate_webhook.answer import Answer
from quorate_webhook.cache.cache import Cache
from quorate_webhook.cache.kinds import KINDS, Kind
from quorate_webhook.review import PATHS

_BOUNDS = names.WEBHOOK_REVIEW_SECONDS.buckets


class Metrics(Collector):
    """Registers the webhook's metrics with ``registry`` and keeps them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._reviews: dict[tuple[str, str, str], int] = {}
        self._buckets = {path: [0] * (len(_BOUNDS) + 1) for path in PATHS}
        self._seconds = dict.fromkeys(PATHS, 0.0)
        self._failures = _counter(names.WEBHOOK_WATCH_FAILURES, registry)
        self._refused = _counter(names.WEBHOOK_REFUSED_OBJECTS, registry)
        for kind in KINDS:
            self._failures.labels(kind.name)
            self._refused.labels(kind.name)
        registry.register(self)

    def reviewed(self, path: str, answer: Answer, seconds: float) -> None:
        """A review was answered, ``seconds`` after its headers."""
        key = (path, answer.decision, answer.reason)
        self._reviews[key] = self._reviews.get(key, 0) + 1
        self._buckets[path][bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[path] += seconds

    def failed(self, kind: Kind) -> None:
        """A list or watch failed and will be begun again."""
        self._failures.labels(kind.name).inc()

    def refused(self, kind: Kind) -> None:
        """An object could not be taken in."""
        self._refused.labels(kind.name).inc()

    def follow(self, cache: Cache) -> None:
        """Report the cache's sizes and ages whenever somebody asks."""
        self._registry.register(_CacheCollector(cache))

    def collect(self) -> Iterable[Metric]:
        """The reviews so far."""
        metric = names.WEBHOOK_REVIEWS
        reviews = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for key, count in self._reviews.items():
            reviews.add_metric(key, count)
        yield reviews
        metric = names.WEBHOOK_REVIEW_SECONDS
        seconds = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for path, counts in self._buckets.items():
            seconds.add_metric((path,), _cumulative(counts), self._seconds[path])
        yield seconds


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, map(float, _BOUNDS)), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


class _CacheCollector(Collector):
    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        for metric, values in (
            (names.WEBHOOK_OBJECTS, self._cache.counts()),
            (names.WEBHOOK_WATCH_AGE, self._cache.ages()),
        ):
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for kind, value in values.items():
                family.add_metric((kind,), value)
            yield family


def _counter(metric: names.Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, registry=registry)
