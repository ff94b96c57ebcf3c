"""Metrics of votes and freezes: the names are the project's, in quorate.telemetry.names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quorate.consensus.member import Judgement
from quorate.consensus.wire import Verdict
from quorate.telemetry import names
from quorate_consensus.judges.opinion import Opinion


class VotingMetrics:
    """Registers them with ``registry`` and keeps them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Looking a child up by its labels takes longer than counting: there are a few of each.
        self._children: dict[tuple[Histogram, tuple[str, ...]], Histogram] = {}
        self._asks = Counter(
            names.MEMBER_ASKS.name,
            names.MEMBER_ASKS.help,
            names.MEMBER_ASKS.labels,
            registry=registry,
        )
        self._judgements = _histogram(names.MEMBER_VOTE_SECONDS, registry)
        self._opinions = _histogram(names.MEMBER_OPINION_SECONDS, registry)
        self._store = _histogram(names.MEMBER_STORE_SECONDS, registry)
        self._broken = Gauge(
            names.MEMBER_STORE_BROKEN.name, names.MEMBER_STORE_BROKEN.help, registry=registry
        )
        self._freezes = Gauge(
            names.MEMBER_FREEZES.name, names.MEMBER_FREEZES.help, registry=registry
        )

    def asked(self, outcome: str, reason: str) -> None:
        """An ask was answered."""
        self._asks.labels(outcome, reason).inc()

    def voted(self, judgement: Judgement, seconds: float) -> None:
        """A judgement was made, in ``seconds``."""
        self._child(self._judgements, _word(judgement.verdict)).observe(seconds)

    def heard(self, judge: str, opinion: Opinion, seconds: float) -> None:
        """A judge said ``opinion`` after ``seconds``, or was taken to."""
        self._child(self._opinions, judge, _word(opinion.verdict)).observe(seconds)

    def _child(self, metric: Histogram, *labels: str) -> Histogram:
        found = self._children.get((metric, labels))
        if found is None:
            found = self._children[metric, labels] = metric.labels(*labels)
        return found

    def stored(self, seconds: float) -> None:
        """A group of votes was made certain on disk, in ``seconds``."""
        self._store.observe(seconds)

    def not_stored(self) -> None:
        """The disk refused a vote: this member says nothing more."""
        self._broken.set(1)

    def frozen(self, count: int) -> None:
        """So many freezes are in force."""
        self._freezes.set(count)


def _word(verdict: Verdict) -> str:
    return verdict.name.lower()


def _histogram(metric: names.Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(
        metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
    )
