"""Projected service-account tokens, verified offline against a pinned key set.

The API server is not asked: a member has no token for it, and a token review would make every
answer depend on it. The price is that a token counts until it expires; that its pod still exists
is therefore checked separately, against the pods the member knows.

Source: RFC 7515 (JWS), RFC 7519 (JWT), Kubernetes' bound service-account tokens.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from quorate import limits, names
from quorate.canonical import parse_object
from quorate.errors import Expired, InvalidInput, LimitExceeded, SignatureError, SubjectMismatch
from quorate.statements import Identifier, convert

TOKEN_BYTES: Final = 16 * limits.KIB
KEY_SET_BYTES: Final = 256 * limits.KIB
KEYS_MAX: Final = 32
RSA_BITS_MIN: Final = 2048
"""What Kubernetes' own tools generate for service accounts; evidence asks for more."""
TOKEN_LIFE: Final = 24 * 3600
"""The longest life in seconds, from ``iat`` to ``exp``. Ours live for ten minutes."""
_CURVE_ALGORITHM: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
ALGORITHMS: Final = ("RS256", *_CURVE_ALGORITHM.values())
_PUBLIC_MEMBERS: Final = {"kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y"}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that signs tokens, and the one algorithm it signs with."""

    key: RSAKey | ECKey
    algorithm: str


TokenKeys = Mapping[str, TokenKey]
"""By key id."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token speaks for: an account, and the pod the token is bound to."""

    user: str
    namespace: str
    pod_name: str
    pod_uid: str
    expires_at: int
    """Unix time, in seconds."""
    node_name: str = ""
    node_uid: str = ""
    """The node the pod was on when the token was made; empty if the token does not say."""

    @property
    def is_operator(self) -> bool:
        """Whether this is the operator's account."""
        return self.user == names.OPERATOR_USER


class _Bound(msgspec.Struct, frozen=True):
    name: Identifier
    uid: Identifier


class _Node(msgspec.Struct, frozen=True):
    name: Identifier
    # An API server that does not find the node leaves its UID out.
    uid: Annotated[str, msgspec.Meta(max_length=253)] = ""


class _Kubernetes(msgspec.Struct, frozen=True):
    namespace: Identifier
    pod: _Bound
    serviceaccount: _Bound
    node: _Node | None = None


class _Claims(msgspec.Struct, frozen=True):
    """Other claims are ignored, as RFC 7519 has it: API servers add some between releases."""

    iss: str
    sub: str
    aud: list[str]
    iat: int
    nbf: int
    exp: int
    kubernetes: _Kubernetes = msgspec.field(name="kubernetes.io")


def parse_key_set(data: bytes) -> TokenKeys:
    """Read a JWKS of public keys, as the API server publishes at ``/openid/v1/jwks``.

    Raises InvalidInput for private or symmetric keys, weak ones, an id that is missing or used
    twice, or no key at all: a key set that is partly wrong was not written by an API server.
    """
    document = parse_object(data, bytes_max=KEY_SET_BYTES, what="token keys")
    listed = document.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= KEYS_MAX:
        raise InvalidInput(f"must be a list of 1 to {KEYS_MAX} keys", field="keys")
    keys: dict[str, TokenKey] = {}
    for index, jwk in enumerate(listed):
        where = f"keys[{index}]"
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if not isinstance(kid, str) or not kid or kid in keys:
            raise InvalidInput("must have a kid of its own", field=where)
        keys[kid] = _token_key(jwk, where)
    return keys


def _token_key(jwk: dict[str, Any], where: str) -> TokenKey:
    # Also refuses "d" and "k": whoever reads a key set with private keys could forge tokens.
    odd = sorted(set(jwk) - _PUBLIC_MEMBERS)
    if odd:
        raise InvalidInput("must be a public key and no more", field=f"{where}.{odd[0][:40]}")
    if jwk.get("use", "sig") != "sig":
        raise InvalidInput("must be sig", field=f"{where}.use")
    key: RSAKey | ECKey
    try:
        if jwk.get("kty") == "RSA":
            rsa = RSAKey.import_key(jwk)
            if rsa.public_key.key_size < RSA_BITS_MIN:
                raise InvalidInput(f"must have {RSA_BITS_MIN} bits or more", field=where)
            key, algorithm = rsa, "RS256"
        elif jwk.get("kty") == "EC":
            key, algorithm = ECKey.import_key(jwk), _CURVE_ALGORITHM.get(str(jwk.get("crv")), "")
        else:
            raise InvalidInput("must be RSA or EC", field=f"{where}.kty")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"is not a key: {error}", field=where) from None
    if not algorithm or jwk.get("alg", algorithm) != algorithm:
        raise InvalidInput(f"must sign with one of {', '.join(ALGORITHMS)}", field=where)
    return TokenKey(key, algorithm)


def verify(token: str, keys: TokenKeys, issuer: str, now: datetime) -> Caller:
    """Who the token speaks for.

    Raises InvalidInput if it is malformed or lacks a claim, SignatureError if no pinned key signed
    it, SubjectMismatch for another issuer, audience or subject, Expired outside its time.
    """
    if len(token) > TOKEN_BYTES:
        raise LimitExceeded(f"token has more than {TOKEN_BYTES} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidInput("token must have three parts")
    header, payload, signature = (_base64url(part) for part in parts)
    key = _key_for(header, keys)
    if not signature:
        raise SignatureError("token is not signed")
    try:
        jws.deserialize_compact(token, key.key, algorithms=[key.algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise SignatureError(f"token does not verify: {error}") from None
    return _caller(payload, issuer, math.floor(now.timestamp()))


def _base64url(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("token must be base64url without padding") from None
    # One spelling only: decoders differ on unused bits and stray characters.
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != text.encode("utf-8"):
        raise InvalidInput("token must be base64url without padding")
    return decoded


def _key_for(header: bytes, keys: TokenKeys) -> TokenKey:
    document = parse_object(header, bytes_max=limits.KIB, what="token header")
    if not {"alg", "kid"} <= set(document) <= {"alg", "kid", "typ"}:
        raise InvalidInput("must have alg and kid and may have typ", field="token header")
    key = keys.get(document["kid"]) if isinstance(document["kid"], str) else None
    if key is None:
        raise SignatureError(
            "token is signed by a key that is not pinned",
            fix="if the API server's keys were rotated, renew the pinned key set",
        )
    if document["alg"] != key.algorithm:
        raise SignatureError(f"token must be signed with {key.algorithm}")
    return key


def _caller(payload: bytes, issuer: str, now: int) -> Caller:
    document = parse_object(payload, bytes_max=TOKEN_BYTES, what="token claims")
    claims = convert(document, _Claims, "token claims")
    if claims.iss != issuer:
        raise SubjectMismatch("token is of another issuer")
    # Exactly one: a token for several services could be replayed here by any of them.
    if claims.aud != [names.AUDIENCE]:
        raise SubjectMismatch(f"token must have the audience {names.AUDIENCE} and no other")
    bound = claims.kubernetes
    if claims.sub != f"system:serviceaccount:{bound.namespace}:{bound.serviceaccount.name}":
        raise SubjectMismatch("token's subject is not the account it is bound to")
    if now >= claims.exp:
        raise Expired("token has expired")
    if now + limits.CLOCK_SKEW < max(claims.iat, claims.nbf):
        raise Expired("token is from the future")
    if claims.exp - claims.iat > TOKEN_LIFE:
        raise Expired(f"token lives longer than {TOKEN_LIFE} s")
    node = bound.node
    return Caller(
        claims.sub,
        bound.namespace,
        bound.pod.name,
        bound.pod.uid,
        claims.exp,
        node_name=node.name if node else "",
        node_uid=node.uid if node else "",
    )
