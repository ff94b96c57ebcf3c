"""The keys that sign the cluster's tokens, pinned where the member can read them without a token.

Refreshed by each installation: after a rotation of the service-account keys, upgrade the release.
"""

import json
import logging

from quorate.errors import InvalidInput
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.objects import config_map, put
from quorate_operator.kinds import CONFIG_MAP

TOKEN_KEYS = "quorate-token-keys"
JWKS_PATH = "/openid/v1/jwks"
DISCOVERY_PATH = "/.well-known/openid-configuration"

log = logging.getLogger(__name__)


async def install_token_keys(api: ApiServer, namespace: str) -> None:
    """Write the API server's key set and issuer. Raises QuorateError."""
    issuer = (await api.get(DISCOVERY_PATH)).get("issuer")
    keys = (await api.get(JWKS_PATH)).get("keys")
    if not isinstance(issuer, str) or not issuer:
        raise InvalidInput("names no issuer", field=DISCOVERY_PATH)
    if not isinstance(keys, list) or not keys:
        raise InvalidInput("holds no keys", field=JWKS_PATH)
    data = {"jwks.json": json.dumps({"keys": keys}, sort_keys=True), "issuer": issuer}
    outcome = await put(api, CONFIG_MAP, config_map(namespace, TOKEN_KEYS, data))
    log.info("ConfigMap %s: %s (%d keys, issuer %s)", TOKEN_KEYS, outcome, len(keys), issuer)
