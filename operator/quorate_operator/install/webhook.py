"""The webhook's authority and first serving certificate, and who must believe them.

The authority is made once. It goes into the webhook configurations here and nowhere else: the
operator, which signs later leafs with it, may not write those.
"""

import base64
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from quorate.ports import Clock
from quorate_operator import webhook_tls
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.objects import create_once, find
from quorate_operator.kinds import SECRET, Key
from quorate_operator.reconcile.leaf import plan_leaf
from quorate_operator.webhook_tls import CA_SECRET, LEAF_SECRET, Authority

CONFIGURATION = "quorate"
CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
MANAGER = "quorate-install"

log = logging.getLogger(__name__)
Document = dict[str, Any]


async def install_webhook(api: ApiServer, namespace: str, clock: Clock, life: timedelta) -> None:
    """Make sure of authority and leaf, and have the API server believe them. QuorateError."""
    authority = await _authority(api, namespace, clock)
    await _leaf(api, namespace, authority, clock, life)
    for plural in CONFIGURATIONS:
        await _believe(api, plural, authority)


async def _authority(api: ApiServer, namespace: str, clock: Clock) -> Authority:
    found = await find(api, SECRET, namespace, CA_SECRET)
    if found is None:
        made = webhook_tls.new_authority(clock.now())
        key = Key(SECRET.name, namespace, CA_SECRET)
        document = webhook_tls.tls_secret(key, made.pem, made.key_pem)
        found, created = await create_once(api, SECRET, document)
        log.info("Secret %s: %s", CA_SECRET, "created" if created else "found")
    return webhook_tls.read_authority(found)


async def _leaf(
    api: ApiServer, namespace: str, authority: Authority, clock: Clock, life: timedelta
) -> None:
    key = Key(SECRET.name, namespace, LEAF_SECRET)
    found = await find(api, SECRET, namespace, LEAF_SECRET) or {}
    seen = webhook_tls.look_at_leaf(found, authority, namespace)
    for action in plan_leaf(seen, clock.now()):
        leaf = webhook_tls.new_leaf(authority, namespace, clock.now(), life)
        document = webhook_tls.tls_secret(key, leaf.certificate_pem, leaf.key_pem)
        log.info("Secret %s: new until %s: %s", LEAF_SECRET, leaf.not_after, action.because)
        if found:
            await api.replace(SECRET, key, {**found, "data": document["data"]})
        else:
            await create_once(api, SECRET, document)


async def _believe(api: ApiServer, plural: str, authority: Authority) -> None:
    path = f"/apis/admissionregistration.k8s.io/v1/{plural}/{CONFIGURATION}"
    configuration = await api.get(path)
    operations = believe_operations(configuration, authority.pem)
    if operations:
        await api.patch(path, operations, MANAGER)
    log.info("%s %s: %d webhooks set", plural, CONFIGURATION, len(operations) // 2)


def believe_operations(configuration: Document, authority_pem: bytes) -> Sequence[Document]:
    """The patch that gives every webhook the authority it has not. Tested by each one's name."""
    bundle = base64.b64encode(authority_pem).decode("ascii")
    operations: list[Document] = []
    for index, webhook in enumerate(configuration.get("webhooks") or []):
        if (webhook.get("clientConfig") or {}).get("caBundle") == bundle:
            continue
        base = f"/webhooks/{index}"
        operations += [
            {"op": "test", "path": f"{base}/name", "value": webhook["name"]},
            {"op": "add", "path": f"{base}/clientConfig/caBundle", "value": bundle},
        ]
    return operations
