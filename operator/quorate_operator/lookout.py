"""Looks at webhook and members from outside, as their clients meet them, and raises alerts."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from quorate import names
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_io import tls
from quorate_operator import webhook_tls
from quorate_operator.alert_endings import AlertEndings
from quorate_operator.alerts import Alerts
from quorate_operator.committee import Committee
from quorate_operator.effects.api_server import ApiServer, Document
from quorate_operator.effects.dial import Shown, dial
from quorate_operator.kinds import SECRET
from quorate_operator.reconcile.actions import RaiseAlert
from quorate_operator.reconcile.serving import (
    Replica,
    down,
    down_alert,
    late_alert,
    stale_alerts,
)

LOOK_SECONDS = 15.0
LASTING: Final = (
    Rule.WEBHOOK_DOWN,
    Rule.WEBHOOK_WATCH_STALE,
    Rule.SERVING_CERTIFICATE_RENEWAL_LATE,
)
"""What is raised here, and ends."""
REPLICAS_MAX = 32
"""Endpoints dialled at one look."""

log = logging.getLogger(__name__)


class Lookout:
    """Looks every few seconds. What it cannot find out is no alert of its own."""

    def __init__(
        self,
        api: ApiServer,
        namespace: str,
        member_url: str,
        committee: Committee,
        alerts: Alerts,
        clock: Clock,
        monotonic: Callable[[], float],
        endings: AlertEndings,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._member_url = member_url
        self._committee = committee
        self._alerts = alerts
        self._clock = clock
        self._monotonic = monotonic
        self._endings = endings
        self._unseen: set[str] = set()
        """What did not answer at this look: nobody knows how it is."""
        self._down_since: float | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Raise what is wrong, and have closed what has ended."""
        found: list[RaiseAlert] = []
        whole = True
        self._unseen = set()
        for look in (self.webhook, self.members):
            try:
                found += await look()
            except QuorateError as error:
                log.info("not looked at: %s", error)
                whole = False
        for alert in found:
            await self._alerts.raise_alert(alert)
        if not whole:
            return
        holding = {
            rule: self._unseen | {a.subject.key.name for a in found if a.rule is rule}
            for rule in LASTING
        }
        if self._down_since is not None:
            holding[Rule.WEBHOOK_DOWN].add(names.WEBHOOK_SERVICE)
        await self._endings.look(holding)

    async def webhook(self) -> list[RaiseAlert]:
        """What is wrong with the webhook. Raises QuorateError if the API server does not say."""
        secret = await self._api.get(SECRET.path(self._namespace, webhook_tls.CA_SECRET))
        authority = webhook_tls.read_authority(secret).pem.decode("ascii")
        context = tls.client_context([authority])
        endpoints = await self._endpoints()
        replicas = await asyncio.gather(*(self._replica(e, context) for e in endpoints))
        now, clock = self._monotonic(), self._clock.now()
        why = down(replicas)
        if not why:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        found = list(stale_alerts(replicas, self._namespace))
        if self._down_since is not None:
            found += down_alert(why, now - self._down_since, self._namespace)
        self._unseen |= {one.name for one in replicas if one.trouble}
        if not all(one.not_after for one in replicas):
            self._unseen.add(names.WEBHOOK_SERVICE)
        for one in replicas:
            if one.not_before and one.not_after:
                begins, ends = one.not_before, one.not_after
                what = names.WEBHOOK_SERVICE
                found += late_alert(what, begins, ends, clock, self._namespace)
        return found

    async def members(self) -> list[RaiseAlert]:
        """Whose certificate is late. What a member that does not answer shows, nobody knows."""
        looks = await asyncio.gather(*(self._member(name) for name in self._committee.relays))
        return [alert for found in looks for alert in found]

    async def _member(self, name: str) -> tuple[RaiseAlert, ...]:
        parts = urlsplit(self._member_url.replace(names.MEMBER_MARK, name))
        host, port = parts.hostname or "", parts.port or 443
        try:
            # Only its dates are read here, and nothing is sent that is not public.
            shown = await dial(host, port, host, tls.unverified_context())
        except QuorateError as error:
            log.info("not looked at: %s", error)
            self._unseen.add(names.member_object(name))
            return ()
        begins, ends, now = shown.not_before, shown.not_after, self._clock.now()
        return late_alert(names.member_object(name), begins, ends, now, self._namespace)

    async def _endpoints(self) -> list[tuple[Document, int]]:
        """The webhook's endpoints, ready or not, each with its port."""
        slices = await self._api.get(
            f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices",
            {"labelSelector": f"kubernetes.io/service-name={names.WEBHOOK_SERVICE}"},
        )
        return [
            (endpoint, port["port"])
            for part in slices.get("items") or []
            for port in (part.get("ports") or [])[:1]
            for endpoint in part.get("endpoints") or []
        ][:REPLICAS_MAX]

    async def _replica(self, endpoint: tuple[Document, int], context: ssl.SSLContext) -> Replica:
        document, port = endpoint
        target = document.get("targetRef") or {}
        name, uid = str(target.get("name", "an endpoint")), str(target.get("uid", ""))
        ready = (document.get("conditions") or {}).get("ready") is True
        host = str((document.get("addresses") or [""])[0])
        server = webhook_tls.service_names(self._namespace)[0]
        try:
            shown: Shown = await dial(host, port, server, context)
        except QuorateError as error:
            return Replica(name, uid, ready, trouble=str(error))
        return Replica(
            name, uid, ready, shown.not_before, shown.not_after, shown.status, shown.text
        )
