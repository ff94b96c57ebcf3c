"""The member's metrics: the names are the project's, in quorate.telemetry.names."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quorate.alerts import REPORTED
from quorate.telemetry import names
from quorate_consensus.relay import Relay
from quorate_consensus.reports import Reports
from quorate_consensus.voting_metrics import VotingMetrics


class Metrics:
    """Registers the member's metrics with ``registry`` and keeps them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = _counter(names.MEMBER_REQUESTS, registry)
        self._judgements = _counter(names.MEMBER_JUDGEMENTS, registry)
        self._revocations = _counter(names.MEMBER_REVOCATIONS, registry)
        self._relayed = _counter(names.MEMBER_RELAYED_CERTIFICATES, registry)
        self._receipts = _counter(names.MEMBER_RECEIPTS, registry)
        seconds = names.MEMBER_JUDGE_SECONDS
        self._seconds = Histogram(
            seconds.name, seconds.help, registry=registry, buckets=seconds.buckets
        )
        self._heard = _gauge(names.MEMBER_HEARD, registry)
        self._objects = _gauge(names.MEMBER_OBJECTS, registry)
        self._reports = _gauge(names.MEMBER_REPORTS, registry)
        self._leaf = _gauge(names.MEMBER_LEAF_EXPIRY, registry)
        self._epoch = _gauge(names.MEMBER_EPOCH, registry)
        self._proposals = _counter(names.MEMBER_PROPOSALS, registry)
        self._evidence = _counter(names.MEMBER_EVIDENCE, registry)
        self.voting = VotingMetrics(registry)

    def requested(self, route: str, status: int) -> None:
        """A request was answered."""
        self._requests.labels(route, str(status)).inc()

    def judged(self, allowed: bool, seconds: float) -> None:
        """A judgement was made; it took ``seconds`` of CPU time."""
        self._judgements.labels("certified" if allowed else "denied").inc()
        self._seconds.observe(seconds)

    def revoked(self, count: int) -> None:
        """This member no longer supports so many certificates."""
        self._revocations.inc(count)

    def looked_at(self, verified: bool) -> None:
        """A relayed certificate was verified, or does not count."""
        self._relayed.labels("verified" if verified else "refused").inc()

    def answered(self, reason: str) -> None:
        """A receipt was issued, or denied for a reason."""
        self._receipts.labels("denied" if reason else "issued", reason).inc()

    def observed(self, relay: Relay) -> None:
        """A batch was accepted."""
        if relay.heard_at is not None:
            self._heard.set(relay.heard_at.timestamp())
        if relay.current is not None:
            for kind, count in relay.current.counts().items():
                self._objects.labels(kind).set(count)

    def reported(self, reports: Reports) -> None:
        """What pods report has changed."""
        counts = reports.counts()
        for rule in REPORTED:
            self._reports.labels(rule.value).set(counts[rule])

    def epoch(self, number: int) -> None:
        """The newest epoch that is known."""
        self._epoch.set(number)

    def proposed(self, outcome: str, reason: str) -> None:
        """An epoch record was endorsed, or declined for a reason."""
        self._proposals.labels(outcome, reason).inc()

    def accused(self, outcome: str) -> None:
        """Evidence against a member was shown."""
        self._evidence.labels(outcome).inc()

    def leaf_renewed(self, not_after: datetime) -> None:
        """A TLS certificate is served from now on, until ``not_after``."""
        self._leaf.set(not_after.timestamp())


def _counter(metric: names.Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


def _gauge(metric: names.Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)
