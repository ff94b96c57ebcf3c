"""An API server's side of projected tokens: signing keys, their JWKS, and tokens."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from tests.fakes.vouching import NOW

ISSUER = "https://kubernetes.default.svc.cluster.local"
_RSA_KEY = rsa.generate_private_key(65537, 2048)


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def number(value: int, size: int | None = None) -> str:
    """An integer as JWKs have it."""
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class RsaKey:
    """An RSA key that signs RS256. The same key in every test: making one takes long."""

    kid: str = "rsa-1"
    key: rsa.RSAPrivateKey = _RSA_KEY
    algorithm: str = "RS256"

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as the API server publishes it."""
        public = self.key.public_key().public_numbers()
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": self.algorithm,
            "n": number(public.n),
            "e": number(public.e),
        }

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256."""
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class EcKey:
    """A P-256 key that signs ES256."""

    kid: str = "ec-1"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    algorithm: str = "ES256"

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as the API server publishes it."""
        public = self.key.public_key().public_numbers()
        return {
            "use": "sig",
            "kty": "EC",
            "kid": self.kid,
            "alg": self.algorithm,
            "crv": "P-256",
            "x": number(public.x, 32),
            "y": number(public.y, 32),
        }

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256, in the form JWS wants."""
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SigningKey = RsaKey | EcKey


def key_set(*keys: SigningKey) -> bytes:
    """The JWKS document."""
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


def claims(
    namespace: str = "team-a",
    pod: str = "chat-0",
    uid: str = "pod-uid-1",
    account: str = "default",
    now: datetime = NOW,
) -> dict[str, Any]:
    """What the API server puts into a token bound to a pod."""
    issued = int(now.timestamp())
    return {
        "aud": ["quorate"],
        "exp": issued + 600,
        "iat": issued,
        "iss": ISSUER,
        "jti": "00000000-0000-0000-0000-000000000000",
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": "node-1", "uid": "node-uid-1"},
            "pod": {"name": pod, "uid": uid},
            "serviceaccount": {"name": account, "uid": f"uid-{account}"},
        },
        "nbf": issued,
        "sub": f"system:serviceaccount:{namespace}:{account}",
    }


def operator_claims(now: datetime = NOW) -> dict[str, Any]:
    """The operator's claims."""
    return claims("quorate-system", "quorate-operator-0", "pod-uid-op", "quorate-operator", now)


def token(
    key: SigningKey, payload: Mapping[str, Any] | bytes, header: Mapping[str, Any] | None = None
) -> str:
    """A signed token; ``header`` replaces the usual one."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = {"alg": key.algorithm, "kid": key.kid} if header is None else header
    signed = f"{encode(json.dumps(head).encode())}.{encode(body)}"
    return f"{signed}.{encode(key.sign(signed.encode('ascii')))}"
