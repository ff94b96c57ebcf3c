"""The operator's metrics: the names are the project's, in quorate.telemetry.names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quorate.telemetry import names


class Metrics:
    """Registers the operator's metrics with ``registry`` and keeps them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.lease_held = self._gauge(names.OPERATOR_LEADER)
        self.watch_age = self._gauge(names.OPERATOR_WATCH_AGE)
        self.queue = self._gauge(names.OPERATOR_QUEUE)
        self.reconciles = self._counter(names.OPERATOR_RECONCILES)
        self.reconcile_seconds = self._histogram(names.OPERATOR_RECONCILE_SECONDS)
        self.evaluations = self._counter(names.OPERATOR_EVALUATIONS)
        self.source_readings = self._counter(names.OPERATOR_SOURCE_READINGS)
        self.member_heard = self._gauge(names.OPERATOR_MEMBER_HEARD)
        self.relay_pending = self._gauge(names.OPERATOR_RELAY_PENDING)
        self.released = self._counter(names.OPERATOR_RELEASED)
        self.release_seconds = self._histogram(names.OPERATOR_RELEASE_SECONDS)
        self.held = self._counter(names.OPERATOR_HELD)
        self.events = self._counter(names.OPERATOR_EVENTS)
        self.alerts = self._counter(names.OPERATOR_ALERTS)
        self.removals = self._counter(names.OPERATOR_REMOVALS)
        self.escapes = self._gauge(names.OPERATOR_ESCAPES)
        self.escape_scan = self._gauge(names.OPERATOR_ESCAPE_SCAN)
        self.escape_scan_seconds = self._histogram(names.OPERATOR_ESCAPE_SCAN_SECONDS)
        self.leaf_expiry = self._gauge(names.OPERATOR_LEAF_EXPIRY)

    def _counter(self, metric: names.Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: names.Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: names.Metric) -> Histogram:
        return Histogram(
            metric.name,
            metric.help,
            metric.labels,
            registry=self.registry,
            buckets=metric.buckets,
        )
