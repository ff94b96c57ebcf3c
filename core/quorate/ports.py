"""What the pure parts need from the world, as protocols the rooms fill in."""

from datetime import datetime
from typing import Protocol

from quorate.keys import PublicKey


class Clock(Protocol):
    """The time of day. Aware, in UTC."""

    def now(self) -> datetime:
        """Return the present instant."""


class Signer(Protocol):
    """Something that holds a private key: a file now, a KMS or a PKCS#11 token later."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what :meth:`sign` returns."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` (not its digest); raise SignatureError if the key cannot be used."""
