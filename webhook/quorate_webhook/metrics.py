"""The webhook's metrics: the names are the project's, in quorate.telemetry.names."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quorate.telemetry import names
from quorate_webhook.answer import Answer
from quorate_webhook.cache.cache import Cache
from quorate_webhook.cache.kinds import KINDS, Kind
from quorate_webhook.review import PATHS


class Metrics:
    """Registers the webhook's metrics with ``registry`` and keeps them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._reviews = _counter(names.WEBHOOK_REVIEWS, registry)
        seconds = names.WEBHOOK_REVIEW_SECONDS
        histogram = Histogram(
            seconds.name, seconds.help, seconds.labels, registry=registry, buckets=seconds.buckets
        )
        self._seconds = {path: histogram.labels(path) for path in PATHS}
        self._failures = _counter(names.WEBHOOK_WATCH_FAILURES, registry)
        self._refused = _counter(names.WEBHOOK_REFUSED_OBJECTS, registry)
        for kind in KINDS:
            self._failures.labels(kind.name)
            self._refused.labels(kind.name)
        self._known: dict[tuple[str, str, str], Counter] = {}

    def reviewed(self, path: str, answer: Answer, seconds: float) -> None:
        """A review was answered, ``seconds`` after its headers."""
        key = (path, answer.decision, answer.reason)
        counter = self._known.get(key)
        if counter is None:
            counter = self._known[key] = self._reviews.labels(*key)
        counter.inc()
        self._seconds[path].observe(seconds)

    def failed(self, kind: Kind) -> None:
        """A list or watch failed and will be begun again."""
        self._failures.labels(kind.name).inc()

    def refused(self, kind: Kind) -> None:
        """An object could not be taken in."""
        self._refused.labels(kind.name).inc()

    def follow(self, cache: Cache) -> None:
        """Report the cache's sizes and ages whenever somebody asks."""
        self._registry.register(_CacheCollector(cache))


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
