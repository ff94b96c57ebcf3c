"""Writes down how every exchange began and ended: audit records and metrics."""

from collections.abc import Callable

from quorate.audit.records import Outcome
from quorate_sidecar.audit_log import AuditLog
from quorate_sidecar.examine import Examined
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.refusal import Code, Refusal

_FAILED = frozenset(
    {
        Code.UPSTREAM_DOWN,
        Code.UPSTREAM_TIMEOUT,
        Code.UPSTREAM_ERROR,
        Code.UPSTREAM_INVALID,
        Code.INTERNAL,
    }
)


def outcome_of(refusal: Refusal) -> Outcome:
    """How an exchange ended that ended with ``refusal``."""
    if refusal.code is Code.CLIENT_LEFT:
        return "interrupted"
    return "failed" if refusal.code in _FAILED else "denied"


class Recorder:
    """One for all exchanges. ``now`` is the event loop's clock, in seconds."""

    def __init__(self, audit: AuditLog, metrics: Metrics, now: Callable[[], float]) -> None:
        self._audit = audit
        self._metrics = metrics
        self._now = now

    def begin(self, exchange: Exchange, examined: Examined) -> None:
        """Write the open record. Raises Refusal if it cannot be: then nothing may be sent."""
        self._audit.write(exchange.open_record(examined))
        exchange.opened = True

    def end(self, exchange: Exchange, refusal: Refusal | None = None) -> None:
        """Write how it ended, once. Raises Refusal if that cannot be written."""
        if exchange.ended:
            return
        exchange.ended = True
        seconds = self._now() - exchange.started
        outcome = outcome_of(refusal) if refusal else "released"
        status, code = (refusal.status, refusal.code.value) if refusal else (200, "")
        self._metrics.request(exchange.path, outcome, code, seconds)
        self._metrics.findings(exchange.request_tally, "request")
        self._metrics.findings(exchange.answer_tally, "answer")
        if exchange.opened:
            self._audit.write(exchange.close_record(outcome, status, code, seconds))
        elif exchange.recorded and refusal is not None:
            self._audit.write(exchange.deny_record(refusal))
        if outcome == "released" and exchange.upstream_seconds:
            self._metrics.overhead(exchange.path, seconds - exchange.upstream_seconds)
