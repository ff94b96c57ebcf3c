"""Public keys that count, and the signatures they verify.

A key is identified by the SHA-256 of its SubjectPublicKeyInfo, never by a name someone gave it:
thresholds count distinct key material.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from quorate.errors import InvalidInput, SignatureError

RSA_BITS_MIN = 3072
PEM_BYTES_MAX = 8192

_Key = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_CURVE_HASH: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
}


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """An accepted public key: Ed25519, ECDSA P-256 or P-384, RSA of at least 3072 bits."""

    key: _Key
    spki: bytes

    @property
    def key_id(self) -> str:
        """``sha256:<hex>`` of the SubjectPublicKeyInfo."""
        return f"sha256:{hashlib.sha256(self.spki).hexdigest()}"

    @property
    def pem(self) -> str:
        """The key as a PEM text."""
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii")

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise SignatureError unless ``signature`` is this key's signature of ``data``."""
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, data)
            elif isinstance(self.key, ec.EllipticCurvePublicKey):
                self.key.verify(signature, data, ec.ECDSA(_CURVE_HASH[self.key.curve.name]))
            else:
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
                self.key.verify(signature, data, pss, hashes.SHA256())
        except (InvalidSignature, ValueError) as error:
            raise SignatureError("signature does not verify", field=self.key_id) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.spki == other.spki

    def __hash__(self) -> int:
        return hash(self.spki)


def accept(key: object) -> PublicKey:
    """Wrap a key of the cryptography library; raise InvalidInput if its kind does not count."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < RSA_BITS_MIN:
            raise InvalidInput(f"RSA key has {key.key_size} bits; at least {RSA_BITS_MIN} count")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVE_HASH:
            raise InvalidInput(f"curve {key.curve.name} does not count; use P-256 or P-384")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        raise InvalidInput("key must be Ed25519, ECDSA P-256 or P-384, or RSA of 3072 bits or more")
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(key, spki)


@lru_cache(maxsize=4096)
def load_public_key(pem: str) -> PublicKey:
    """Read one PEM public key. Raises InvalidInput for anything else. Cached: keys repeat."""
    if len(pem) > PEM_BYTES_MAX:
        raise InvalidInput(f"public key has {len(pem)} bytes; the limit is {PEM_BYTES_MAX}")
    if pem.count("-----BEGIN") != 1:
        raise InvalidInput("must hold exactly one PEM public key")
    try:
        key = serialization.load_pem_public_key(pem.encode("ascii", "strict"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"is not a PEM public key: {error}") from None
    return accept(key)


class LocalSigner:
    """A private key held in this process; a :class:`quorate.ports.Signer`."""

    def __init__(self, key: _PrivateKey) -> None:
        self._key = key
        self._public = accept(key.public_key())

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what :meth:`sign` returns."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` with the scheme :meth:`PublicKey.verify` expects for this kind of key."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, ec.ECDSA(_CURVE_HASH[self._key.curve.name]))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return self._key.sign(data, pss, hashes.SHA256())


def load_signer(pem: bytes, password: bytes | None = None) -> LocalSigner:
    """Read a PEM private key. Raises InvalidInput if it is not one, or its kind does not count."""
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"is not a PEM private key: {error}") from None
    if not isinstance(key, _PrivateKey):
        raise InvalidInput("private key must be Ed25519, ECDSA P-256 or P-384, or RSA")
    return LocalSigner(key)
