"""Which caller a request comes from: the pinned key file, and a memory of verified tokens."""

import hashlib
import logging
from collections import OrderedDict
from pathlib import Path

from quorate.errors import InvalidInput
from quorate.ports import Clock
from quorate_consensus import tokens
from quorate_consensus.tokens import Caller

REMEMBERED_MAX = 65_536
"""Tokens remembered; somewhat more than limits.PODS_PER_CLUSTER."""

log = logging.getLogger(__name__)


class Authenticator:
    """Verifies tokens with the keys in a JWKS file. Raises InvalidInput if it cannot be used."""

    def __init__(self, key_file: Path, issuer: str, clock: Clock) -> None:
        self._key_file = key_file
        self._issuer = issuer
        self._clock = clock
        self._loaded: bytes | None = None
        self._keys: tokens.TokenKeys = {}
        self._remembered: OrderedDict[bytes, Caller] = OrderedDict()
        self.reload()

    def reload(self) -> bool:
        """Use the key file if it changed; True if it did. On InvalidInput the old keys stay."""
        found = self._read()
        if found == self._loaded:
            return False
        self._keys = tokens.parse_key_set(found)
        self._loaded = found
        self._remembered.clear()
        log.info("token keys in use: %s", ", ".join(self._keys))
        return True

    def caller(self, token: str) -> Caller:
        """Who the token speaks for. Raises what :func:`quorate_consensus.tokens.verify` raises."""
        now = self._clock.now()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(digest)
        if known is not None and now.timestamp() < known.expires_at:
            self._remembered.move_to_end(digest)
            return known
        caller = tokens.verify(token, self._keys, self._issuer, now)
        self._remembered[digest] = caller
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return caller

    def _read(self) -> bytes:
        try:
            with self._key_file.open("rb") as file:
                return file.read(tokens.KEY_SET_BYTES + 1)
        except OSError as error:
            raise InvalidInput(
                f"cannot be read: {error.strerror}", field=str(self._key_file)
            ) from None
