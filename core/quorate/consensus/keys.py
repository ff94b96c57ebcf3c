"""Signatures as they are in production: Ed25519 vote keys, any accepted identity key."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.errors import QuorateError
from quorate.keys import load_public_key

REMEMBERED_BYTES = 2_048
"""The longest text whose verification is remembered: a delegation's, not an epoch record's."""


class KeySignatures:
    """Verifies with the cryptography library; a :class:`quorate.consensus.signing.Signatures`."""

    def by_vote_key(self, key: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the raw Ed25519 key ``key`` signed ``data``."""
        try:
            _vote_key(key).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    def by_identity(self, key: str, signature: bytes, data: bytes) -> bool:
        """Whether the PEM key ``key`` signed ``data``. Short texts are remembered."""
        verify = _remembered if len(data) + len(signature) <= REMEMBERED_BYTES else _signed
        return verify(key, signature, data)


@lru_cache(maxsize=256)
def _vote_key(key: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(key)


def _signed(key: str, signature: bytes, data: bytes) -> bool:
    try:
        load_public_key(key).verify(signature, data)
    except QuorateError:
        return False
    return True


_remembered = lru_cache(maxsize=1_024)(_signed)


class VoteKey:
    """A vote key, made at start and kept in memory only."""

    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()
        self._public = self._key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    @property
    def public(self) -> bytes:
        """The raw public key."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""
        return self._key.sign(data)
