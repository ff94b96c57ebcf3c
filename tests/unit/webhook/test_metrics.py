"""Metrics: what was answered, how fast, and how old the view is."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from quorate.telemetry import names
from quorate_webhook import answer, review
from quorate_webhook.cache.kinds import KINDS, MODEL
from quorate_webhook.metrics import Metrics


def values(registry: CollectorRegistry) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample by its name and label values, read back from the text."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_reviews_are_counted_and_timed() -> None:
    """By path, decision and first reason; the histogram is cumulative and ends at +Inf."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    denied = answer.Answer(b"", "denied", "NoPolicySelectsPod")
    for seconds in (0.0004, 0.0005, 0.3, 1000.0):
        metrics.reviewed(review.VALIDATE, denied, seconds)
    metrics.reviewed(review.MUTATE, answer.allowed("x"), 0.002)
    found = values(registry)
    total = names.WEBHOOK_REVIEWS.name
    key = frozenset({review.VALIDATE, "denied", "NoPolicySelectsPod"})
    assert found[total, key] == 4
    assert found[total, frozenset({review.MUTATE, "allowed", ""})] == 1
    name = names.WEBHOOK_REVIEW_SECONDS.name
    assert found[f"{name}_bucket", frozenset({review.VALIDATE, "0.0005"})] == 2
    assert found[f"{name}_bucket", frozenset({review.VALIDATE, "0.25"})] == 2
    assert found[f"{name}_bucket", frozenset({review.VALIDATE, "0.5"})] == 3
    assert found[f"{name}_bucket", frozenset({review.VALIDATE, "+Inf"})] == 4
    assert found[f"{name}_count", frozenset({review.VALIDATE})] == 4
    assert found[f"{name}_sum", frozenset({review.VALIDATE})] > 1000


def test_watch_failures_are_there_before_the_first() -> None:
    """An alert on a rate needs the zero."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.failed(MODEL)
    metrics.refused(MODEL)
    found = values(registry)
    for name in (names.WEBHOOK_WATCH_FAILURES.name, names.WEBHOOK_REFUSED_OBJECTS.name):
        for kind in KINDS:
            assert found[name, frozenset({kind.name})] == (1 if kind is MODEL else 0)
