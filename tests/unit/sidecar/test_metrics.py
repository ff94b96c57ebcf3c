"""Metrics: what is counted is what a scrape shows, in Prometheus' own text."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from quorate.telemetry import names
from quorate_sidecar.metrics import ALL, Metrics


def scrape(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape, read back by Prometheus' own parser."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counts_are_shown() -> None:
    """Requests, findings and records add up by their labels."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for seconds in (0.0004, 0.02, 100.0):
        metrics.request("/v1/models", "released", "", seconds)
    metrics.request("/v1/models", "denied", "RateLimited", 0.001)
    metrics.findings({("pii", "email", "mask"): 3, ("pii", "iban", "mask"): 1}, "answer")
    found = scrape(registry)
    path = ("path", "/v1/models")
    requests = "quorate_sidecar_requests_total"
    assert found[requests, (("code", ""), ("outcome", "released"), path)] == 3
    assert found[requests, (("code", "RateLimited"), ("outcome", "denied"), path)] == 1
    labels = (("action", "mask"), ("check", "pii"), ("direction", "answer"))
    assert found["quorate_sidecar_findings_total", labels] == 4


def test_histograms_are_cumulative() -> None:
    """Buckets, sum and count are what was observed."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for seconds in (0.0004, 0.0005, 0.02, 100.0):
        metrics.overhead("/x", seconds)
    found = scrape(registry)
    name, path = "quorate_sidecar_overhead_seconds", ("path", "/x")
    assert found[f"{name}_bucket", (("le", "0.0005"), path)] == 2
    assert found[f"{name}_bucket", (("le", "0.025"), path)] == 3
    assert found[f"{name}_bucket", (("le", "+Inf"), path)] == 4
    assert found[f"{name}_count", (path,)] == 4
    assert abs(found[f"{name}_sum", (path,)] - 100.0209) < 1e-9


def test_gauges_are_read_when_asked_for() -> None:
    """A scrape sees the present value, not that of some seconds ago."""
    registry = CollectorRegistry()
    metrics, value = Metrics(registry), [1.0]
    metrics.gauge(names.SIDECAR_READY, lambda: value[0])
    assert scrape(registry)["quorate_sidecar_ready", ()] == 1
    value[0] = 0
    assert scrape(registry)["quorate_sidecar_ready", ()] == 0


def test_counters_without_labels_begin_at_nought() -> None:
    """An alert on an increase needs a value before the first failure."""
    registry = CollectorRegistry()
    Metrics(registry)
    assert scrape(registry)["quorate_sidecar_audit_failures_total", ()] == 0


def test_every_name_of_the_sidecar_is_known() -> None:
    """Names have the prefix, a unit or _total, and are all there."""
    assert len(ALL) == len({metric.name for metric in ALL}) >= 12
    for metric in ALL:
        assert metric.name.startswith("quorate_sidecar_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert bool(metric.buckets) == (metric.kind == "histogram")
