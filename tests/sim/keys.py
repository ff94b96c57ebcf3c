"""Two signature schemes behind the protocol's port: a symbolic one, and the real keys.

Symbolic: a keyed hash whose key only its owner has. Whoever is not handed a key object cannot make
its signatures, and one costs a microsecond. All keys follow from names, so that runs replay.
"""

import hashlib
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus.keys import KeySignatures
from quorate.consensus.signing import Signatures


def key_names(member: str) -> tuple[str, str]:
    """The identity key a member begins with, and the one it may get."""
    return member, f"{member} renewed"


class Identity(Protocol):
    """An identity key: a member's or an administrator's."""

    @property
    def text(self) -> str:
        """The public key as records hold it."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""


class VoteKey(Protocol):
    """A vote key: a :class:`quorate.consensus.signing.VoteSigner`."""

    @property
    def public(self) -> bytes:
        """The raw public key."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""


class Scheme(Protocol):
    """Where all keys of one world come from."""

    @property
    def signatures(self) -> Signatures:
        """What the protocol verifies with."""

    def identity(self, name: str) -> Identity:
        """The identity key called ``name``."""

    def vote_key(self, name: str) -> VoteKey:
        """The vote key called ``name``."""

    def signed(self, public: bytes | str, signature: bytes, data: bytes) -> bool:
        """Whether ``public`` signed ``data``: for the history checker, which does not use the
        protocol's verification."""


class SymbolicKey:
    """One key. ``public`` is a hash of the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.public = hashlib.sha256(b"public" + secret).digest()
        self.text = f"symbolic {self.public.hex()}"

    def sign(self, data: bytes) -> bytes:
        """A keyed hash of ``data``."""
        return hashlib.blake2b(data, key=self._secret, digest_size=32).digest()


class Symbolic:
    """Knows every secret, and is asked only whether a signature is genuine."""

    def __init__(self) -> None:
        self._keys: dict[bytes | str, SymbolicKey] = {}

    @property
    def signatures(self) -> Signatures:
        """Itself."""
        return self

    def _made(self, name: str) -> SymbolicKey:
        key = SymbolicKey(hashlib.sha256(name.encode()).digest())
        self._keys[key.public] = self._keys[key.text] = key
        return key

    def identity(self, name: str) -> Identity:
        """The identity key called ``name``."""
        return self._made(f"identity {name}")

    def vote_key(self, name: str) -> VoteKey:
        """The vote key called ``name``."""
        return self._made(f"vote {name}")

    def signed(self, public: bytes | str, signature: bytes, data: bytes) -> bool:
        """Whether ``public`` signed ``data``."""
        key = self._keys.get(public)
        return key is not None and key.sign(data) == signature

    def by_vote_key(self, key: bytes, signature: bytes, data: bytes) -> bool:
        """The protocol's port."""
        return self.signed(key, signature, data)

    def by_identity(self, key: str, signature: bytes, data: bytes) -> bool:
        """The protocol's port."""
        return self.signed(key, signature, data)


class _Ed25519Key:
    def __init__(self, name: str) -> None:
        secret = hashlib.sha256(name.encode()).digest()
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        public = self._key.public_key()
        self.public = public.public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.text = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


@lru_cache(maxsize=256)
def _ed25519(name: str) -> _Ed25519Key:
    return _Ed25519Key(name)


class Real:
    """The keys of production, made from names instead of randomness."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}

    @property
    def signatures(self) -> Signatures:
        """What production verifies with."""
        return KeySignatures()

    def identity(self, name: str) -> Identity:
        """The identity key called ``name``."""
        key = _ed25519(f"identity {name}")
        self._raw[key.text] = key.public
        return key

    def vote_key(self, name: str) -> VoteKey:
        """The vote key called ``name``."""
        return _ed25519(f"vote {name}")

    def signed(self, public: bytes | str, signature: bytes, data: bytes) -> bool:
        """Whether ``public`` signed ``data``, straight from the cryptography library."""
        raw = self._raw.get(public, b"") if isinstance(public, str) else public
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True
