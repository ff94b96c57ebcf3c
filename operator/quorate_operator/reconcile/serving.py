"""What the operator sees of webhook and member from outside becomes alerts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quorate import names
from quorate.alerts import Rule
from quorate_operator.kinds import POD, Key
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.reconcile.texts import clipped

DOWN_SECONDS = 60.0
"""A webhook without a replica that answers for so long is an alert; an upgrade is not."""
LATE_SHARE = 1 / 6
"""Certificates are renewed with a third of their life left. With half of that it is late."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One endpoint of the webhook's Service. ``trouble`` says why it does not answer, if so."""

    name: str
    uid: str
    ready: bool
    not_before: datetime | None = None
    not_after: datetime | None = None
    status: int = 0
    text: str = ""
    trouble: str = ""


def service(namespace: str, name: str) -> Target:
    """A Service of ours as the subject of an alert."""
    return Target(Key("Service", namespace, name), "", "v1")


def down(replicas: Iterable[Replica]) -> str:
    """Why admission cannot be answered; empty if one replica can."""
    replicas = list(replicas)
    if any(replica.ready and not replica.trouble for replica in replicas):
        return ""
    if not replicas:
        return "it has no endpoint"
    return "; ".join(f"{r.name}: {r.trouble or r.text.strip() or 'not ready'}" for r in replicas)


def down_alert(why: str, seconds: float, namespace: str) -> tuple[RaiseAlert, ...]:
    """The alert for a webhook that has been down for so long, if it is one."""
    if not why or seconds < DOWN_SECONDS:
        return ()
    summary = clipped(
        "no webhook replica answers: pods in enforced namespaces cannot be created or changed "
        f"({why})"
    )
    subject = service(namespace, names.WEBHOOK_SERVICE)
    return (RaiseAlert(Rule.WEBHOOK_DOWN, subject, namespace, summary),)


def stale_alerts(replicas: Iterable[Replica], namespace: str) -> tuple[RaiseAlert, ...]:
    """One alert for each replica that says that it has heard nothing about a kind."""
    return tuple(
        RaiseAlert(
            Rule.WEBHOOK_WATCH_STALE,
            Target(Key(POD.name, namespace, replica.name), replica.uid, POD.api_version),
            namespace,
            clipped(f"{replica.name} refuses reviews: {replica.text.strip()}"),
        )
        for replica in replicas
        if replica.status == 503 and "nothing heard" in replica.text
    )


def late_alert(
    what: str, not_before: datetime, not_after: datetime, now: datetime, namespace: str
) -> tuple[RaiseAlert, ...]:
    """The alert for a Service whose certificate is shown to clients and should be another one."""
    if not_after - now >= (not_after - not_before) * LATE_SHARE:
        return ()
    summary = f"{what} still shows a certificate that ends at {not_after.isoformat()}"
    subject = service(namespace, what)
    return (RaiseAlert(Rule.SERVING_CERTIFICATE_RENEWAL_LATE, subject, namespace, summary),)
