"""The sidecar's metrics: what :mod:`quorate.telemetry.names` lists, as Prometheus objects."""

from functools import lru_cache
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from quorate.telemetry import names
from quorate.telemetry.names import Metric
from quorate_sidecar.checks.lane import Tally


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """A counter."""
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """A gauge."""
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """A histogram with the metric's own buckets."""
    return Histogram(
        metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry
    )


class Metrics:
    """All of them. Label values come from code, never from a client, so children may be kept."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._requests = counter(names.SIDECAR_REQUESTS, registry)
        self._overhead = histogram(names.SIDECAR_OVERHEAD, registry)
        self._duration = histogram(names.SIDECAR_DURATION, registry)
        self._findings = counter(names.SIDECAR_FINDINGS, registry)
        self._audit_records = counter(names.SIDECAR_AUDIT_RECORDS, registry)
        self.audit_failures = counter(names.SIDECAR_AUDIT_FAILURES, registry)
        self.stream_events = counter(names.SIDECAR_STREAM_EVENTS, registry)
        self.in_flight = gauge(names.SIDECAR_IN_FLIGHT, registry)
        self.connections = gauge(names.SIDECAR_CONNECTIONS, registry)
        self.state_expiry = gauge(names.SIDECAR_STATE_EXPIRY, registry)
        self.ready = gauge(names.SIDECAR_READY, registry)
        self.foreign_listeners = gauge(names.SIDECAR_FOREIGN_LISTENERS, registry)
        self.measure_seconds = gauge(names.SIDECAR_MEASURE_SECONDS, registry)
        # Looking a child up by its labels costs microseconds, every time.
        self._child = lru_cache(maxsize=1024)(_child)

    def request(self, path: str, outcome: str, code: str, seconds: float) -> None:
        """Count a finished request."""
        self._child(self._requests, path, outcome, code).inc()
        self._child(self._duration, path).observe(seconds)

    def overhead(self, path: str, seconds: float) -> None:
        """Note the time added to a request."""
        self._child(self._overhead, path).observe(seconds)

    def findings(self, tally: Tally, direction: str) -> None:
        """Count what the checks found in one direction of an exchange."""
        for (check, _, action), count in tally.items():
            self._child(self._findings, check, direction, action).inc(count)

    def audit_record(self, kind: str) -> None:
        """Count a record."""
        self._child(self._audit_records, kind).inc()


def _child(metric: Any, *labels: str) -> Any:
    return metric.labels(*labels)
