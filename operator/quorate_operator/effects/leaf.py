"""Keeps the webhook's serving certificate young."""

import asyncio
import logging
from datetime import datetime, timedelta

from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_operator import webhook_tls
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.effects.fence import Holder, check
from quorate_operator.kinds import SECRET, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import RotateLeaf
from quorate_operator.reconcile.leaf import plan_leaf
from quorate_operator.webhook_tls import CA_SECRET, LEAF_SECRET, Authority

LOOK_SECONDS = 60.0
"""Between two looks; small against any life a certificate is given."""

log = logging.getLogger(__name__)


class WebhookLeaf:
    """Looks at the certificate from time to time, and replaces it when it is due."""

    def __init__(
        self,
        api: ApiServer,
        namespace: str,
        holder: Holder,
        clock: Clock,
        metrics: Metrics,
        life: timedelta,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._holder = holder
        self._clock = clock
        self._metrics = metrics
        self._life = life

    async def run(self) -> None:
        """Look for ever. What cannot be done is logged, and tried again at the next look."""
        period = min(LOOK_SECONDS, self._life.total_seconds() / 20)
        while True:
            try:
                await self.look()
            except QuorateError as error:
                log.warning("the webhook's certificate was not looked at: %s", error)
            await asyncio.sleep(period)

    async def look(self) -> None:
        """Look once. Raises QuorateError."""
        authority = webhook_tls.read_authority(await self._get(CA_SECRET))
        secret = await self._get(LEAF_SECRET)
        leaf = webhook_tls.look_at_leaf(secret, authority, self._namespace)
        ends = leaf.not_after
        for action in plan_leaf(leaf, self._clock.now()):
            ends = await self._rotate(action, authority, secret)
        self._metrics.leaf_expiry.set(ends.timestamp() if ends else 0)

    async def _rotate(
        self, action: RotateLeaf, authority: Authority, secret: dict[str, object]
    ) -> datetime:
        key = self._key(LEAF_SECRET)
        leaf = webhook_tls.new_leaf(authority, self._namespace, self._clock.now(), self._life)
        wanted = webhook_tls.tls_secret(key, leaf.certificate_pem, leaf.key_pem)
        check(self._holder)
        # With the version that was read: a certificate that somebody else has set since stays.
        await self._api.replace(SECRET, key, {**secret, "data": wanted["data"]})
        log.info("new serving certificate until %s: %s", leaf.not_after, action.because)
        return leaf.not_after

    async def _get(self, name: str) -> dict[str, object]:
        return await self._api.get(SECRET.path(self._namespace, name))

    def _key(self, name: str) -> Key:
        return Key(SECRET.name, self._namespace, name)
