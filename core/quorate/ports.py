"""What the pure parts need from the world, as protocols the rooms fill in."""

from collections.abc import Sequence
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


class Sigstore(Protocol):
    """Verifies what takes a Sigstore client. Offline: nothing it does may reach a network."""

    def verify_keyless(
        self, bundle: bytes, message: bytes | None, trusted_root: str, identity: str, issuer: str
    ) -> datetime:
        """Verify a keyless bundle's certificate, log entry and signature under ``trusted_root``.

        The signature is over ``message``, or over the bundle's own envelope if that is None.
        ``identity`` and ``issuer`` must equal the certificate's. Returns when the log, or a
        timestamp authority of the root, saw the signature. Raises SignatureError, or InvalidInput
        for a root or bundle that cannot be read.
        """

    def verify_timestamp(
        self, response: bytes, signature: bytes, authority: Sequence[bytes]
    ) -> datetime:
        """The time an RFC 3161 ``response`` gives ``signature``.

        ``authority`` is a chain in DER, the timestamp signer first and the root last. Raises
        SignatureError unless that authority signed it.
        """
