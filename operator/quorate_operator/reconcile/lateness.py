"""Certificates of served models that should have been renewed and were not. Pure."""

from collections.abc import Iterable
from datetime import datetime

from quorate.alerts import Rule
from quorate.api.v1alpha1.meta import Owners
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.reconcile.outcome import JITTER
from quorate_operator.reconcile.standing import Standing
from quorate_operator.reconcile.texts import clipped

LATE_SHARE = 0.5 + JITTER + 0.05
"""Share of a certificate's life after which a renewal is late: half, its jitter, and some grace."""


def late_renewals(
    target: Target, owners: Owners | None, standings: Iterable[Standing], now: datetime
) -> tuple[RaiseAlert, ...]:
    """One alert for a model with certificates that ought to have been replaced by now."""
    late = [standing for standing in standings if _is_late(standing, now)]
    if not late:
        return ()
    lines = "; ".join(_describe(standing) for standing in late)
    namespace = target.key.namespace
    summary = clipped(f"{target.key} is served and its certificate is not renewed: {lines}")
    return (RaiseAlert(Rule.CERTIFICATE_RENEWAL_LATE, target, namespace, summary, owners),)


def late_at(standing: Standing) -> datetime | None:
    """When the renewal of the standing's certificate counts as late; None without one."""
    if standing.certificate is None:
        return None
    statement = standing.certificate.statement
    return statement.issued_at + (statement.expires_at - statement.issued_at) * LATE_SHARE


def _is_late(standing: Standing, now: datetime) -> bool:
    due = late_at(standing)
    return due is not None and due <= now


def _describe(standing: Standing) -> str:
    certificate = standing.certificate
    ends = certificate.statement.expires_at.isoformat() if certificate else ""
    why = standing.failure or "the evidence holds no longer than that"
    return f"{standing.policy.ref} ends {ends} ({why})"
