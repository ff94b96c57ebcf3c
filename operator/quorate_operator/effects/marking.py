"""The key of the operator's marks: derived from the webhook's authority, which only it can read."""

import hashlib
import hmac
from typing import Protocol

from quorate_operator import webhook_tls
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.kinds import SECRET

_PURPOSE = b"quorate.dev/marking/v1"


class MarkingKey(Protocol):
    """Where the key is."""

    async def key(self) -> bytes:
        """The key. Raises QuorateError if it cannot be read now."""


class AuthorityMarkingKey:
    """Read once: the install Job makes the authority and never overwrites it."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._path = SECRET.path(namespace, webhook_tls.CA_SECRET)
        self._key = b""

    async def key(self) -> bytes:
        """The key. Raises QuorateError if the Secret cannot be read."""
        if not self._key:
            authority = webhook_tls.read_authority(await self._api.get(self._path))
            self._key = hmac.new(authority.key_pem, _PURPOSE, hashlib.sha256).digest()
        return self._key
