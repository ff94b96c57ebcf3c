"""Projected tokens: this issuer, this audience, this pod, now, by a pinned key, or nothing."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from quorate.errors import Expired, InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate_consensus.tokens import parse_key_set, verify
from tests.fakes.service_account import (
    ISSUER,
    EcKey,
    RsaKey,
    SigningKey,
    claims,
    encode,
    key_set,
    operator_claims,
    token,
)
from tests.fakes.vouching import NOW

RSA, EC = RsaKey(), EcKey()
KEYS = parse_key_set(key_set(RSA, EC))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
@pytest.mark.requirement("sidecars authenticate with a projected token checked offline")
def test_a_good_token_names_its_pod(key: SigningKey) -> None:
    """Account, namespace and pod come out of the token."""
    caller = verify(token(key, claims()), KEYS, ISSUER, NOW)
    assert (caller.user, caller.is_operator) == ("system:serviceaccount:team-a:default", False)
    assert (caller.namespace, caller.pod_name, caller.pod_uid) == ("team-a", "chat-0", "pod-uid-1")
    assert verify(token(key, operator_claims()), KEYS, ISSUER, NOW).is_operator


@pytest.mark.requirement("pod receipts: the token is bound to pod and node")
def test_a_token_names_the_node_it_was_made_for() -> None:
    """By name and UID as the token has them; none where it has none."""
    caller = verify(token(EC, claims()), KEYS, ISSUER, NOW)
    assert (caller.node_name, caller.node_uid) == ("node-1", "node-uid-1")
    for node, uid in ((None, ""), ({"name": "node-1"}, "")):
        assert verify(token(EC, bound(node=node)), KEYS, ISSUER, NOW).node_uid == uid


def changed(**changes: Any) -> dict[str, Any]:
    """Claims with some replaced, or removed where the new value is None."""
    document = claims() | changes
    return {name: value for name, value in document.items() if value is not None}


def bound(**changes: Any) -> dict[str, Any]:
    """Claims with parts of ``kubernetes.io`` replaced or removed."""
    parts = {k: v for k, v in (claims()["kubernetes.io"] | changes).items() if v is not None}
    return changed(**{"kubernetes.io": parts})


ISSUED = claims()["iat"]


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (changed(aud=["https://kubernetes.default.svc"]), SubjectMismatch),
        (changed(aud=["quorate", "other"]), SubjectMismatch),
        (changed(aud=[]), SubjectMismatch),
        (changed(aud="quorate"), InvalidInput),
        (changed(aud=None), InvalidInput),
        (changed(iss="https://elsewhere.example.com"), SubjectMismatch),
        (changed(iss=ISSUER + "/"), SubjectMismatch),
        (changed(exp=None), InvalidInput),
        (changed(exp="9999999999"), InvalidInput),
        (changed(exp=True), InvalidInput),
        (changed(exp=1e400), InvalidInput),
        (changed(exp=ISSUED), Expired),
        (changed(exp=ISSUED + 90_000), Expired),
        (changed(iat=ISSUED + 31), Expired),
        (changed(nbf=ISSUED + 31), Expired),
        (changed(iat=None), InvalidInput),
        (changed(nbf=None), InvalidInput),
        (bound(pod=None), InvalidInput),
        (bound(node="node-1"), InvalidInput),
        (bound(node={"uid": "node-uid-1"}), InvalidInput),
        (bound(node={"name": "node-1", "uid": 1}), InvalidInput),
        (bound(pod={"name": "chat-0"}), InvalidInput),
        (bound(pod={"name": "chat-0", "uid": ""}), InvalidInput),
        (bound(serviceaccount=None), InvalidInput),
        (bound(namespace="team-b"), SubjectMismatch),
        (changed(sub="system:serviceaccount:quorate-system:quorate-operator"), SubjectMismatch),
        (changed(**{"kubernetes.io": None}), InvalidInput),
        ([], InvalidInput),
    ],
)
@pytest.mark.requirement("sidecars authenticate with a projected token checked offline")
def test_claims_that_do_not_count(payload: Any, error: type[QuorateError]) -> None:
    """Wrong audience, issuer, subject, time or binding: each refused although signed."""
    with pytest.raises(error):
        verify(token(RSA, json.dumps(payload).encode()), KEYS, ISSUER, NOW)


def test_time_bounds_of_a_token() -> None:
    """It counts until the second it expires, and from the allowed skew before its beginning."""
    good = token(RSA, claims())
    verify(good, KEYS, ISSUER, NOW - 30 * SECOND)
    verify(good, KEYS, ISSUER, NOW + 599 * SECOND)
    for moment in (NOW - 31 * SECOND, NOW + 600 * SECOND):
        with pytest.raises(Expired):
            verify(good, KEYS, ISSUER, moment)


def unsigned() -> str:
    """A token of algorithm ``none``."""
    head, body = encode(b'{"alg":"none","kid":"rsa-1"}'), encode(json.dumps(claims()).encode())
    return f"{head}.{body}."


def mac_with_public_key() -> str:
    """The classic confusion: HS256 keyed with the RSA public key's bytes."""
    pem = RSA.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body = encode(b'{"alg":"HS256","kid":"rsa-1"}'), encode(json.dumps(claims()).encode())
    mac = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encode(mac)}"


def by_a_stranger() -> str:
    """Signed by a key that has the pinned key's id."""
    return token(EcKey(kid=EC.kid), claims())


def with_another_keys_algorithm() -> str:
    """Says RS256, but names the EC key."""
    return token(RSA, claims(), {"alg": "RS256", "kid": EC.kid})


def with_embedded_key() -> str:
    """Carries the key it should be verified with."""
    stranger = EcKey()
    return token(stranger, claims(), {"alg": "ES256", "kid": EC.kid, "jwk": stranger.jwk})


def with_critical_header() -> str:
    """Asks for an extension nobody here knows."""
    return token(RSA, claims(), {"alg": "RS256", "kid": RSA.kid, "crit": ["b64"], "b64": False})


def tampered() -> str:
    """Another pod's uid under the old signature."""
    head, _, signature = token(RSA, claims()).split(".")
    return f"{head}.{encode(json.dumps(claims(uid='pod-uid-2')).encode())}.{signature}"


def without_key_id() -> str:
    """No ``kid``: no key may be guessed."""
    return token(RSA, claims(), {"alg": "RS256"})


def twice_the_subject() -> str:
    """A claim that two parsers would read differently."""
    body = json.dumps(claims())[:-1] + ', "sub": "system:serviceaccount:a:b"}'
    return token(RSA, body.encode())


def padded() -> str:
    """The same bytes in another spelling."""
    return token(RSA, claims()) + "="


def huge() -> str:
    """Longer than any token."""
    return token(RSA, changed(padding="x" * 20_000))


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        mac_with_public_key,
        by_a_stranger,
        with_another_keys_algorithm,
        with_embedded_key,
        with_critical_header,
        tampered,
        without_key_id,
        twice_the_subject,
        padded,
        huge,
        lambda: "",
        lambda: "..",
        lambda: "a.b",
        lambda: "é.é.é",
    ],
)
def test_forged_tokens(make: Callable[[], str]) -> None:
    """No way of signing but the pinned key's own counts."""
    with pytest.raises((SignatureError, InvalidInput)):
        verify(make(), KEYS, ISSUER, NOW)


def private_jwk() -> dict[str, Any]:
    """The pinned key with its private exponent."""
    return RSA.jwk | {"d": "AQAB"}


WEAK = RsaKey(kid="weak", key=rsa.generate_private_key(65537, 1024))  # noqa: S505
SECP256K1 = EcKey(key=ec.generate_private_key(ec.SECP256K1()))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": []},
        {"keys": "RSA"},
        {"keys": ["RSA"]},
        {"keys": [private_jwk()]},
        {"keys": [{"kty": "oct", "kid": "mac", "k": "c2VjcmV0"}]},
        {"keys": [RSA.jwk, RSA.jwk]},
        {"keys": [{k: v for k, v in RSA.jwk.items() if k != "kid"}]},
        {"keys": [RSA.jwk | {"use": "enc"}]},
        {"keys": [RSA.jwk | {"alg": "HS256"}]},
        {"keys": [RSA.jwk | {"alg": "none"}]},
        {"keys": [RSA.jwk | {"n": 5}]},
        {"keys": [{k: v for k, v in RSA.jwk.items() if k != "e"}]},
        {"keys": [WEAK.jwk]},
        {"keys": [SECP256K1.jwk | {"crv": "secp256k1", "alg": "ES256K"}]},
        {"keys": [EC.jwk | {"x": EC.jwk["y"], "y": EC.jwk["x"]}]},
        {"keys": [{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": encode(b"0" * 32)}]},
        {"keys": [RSA.jwk | {"kid": f"key-{index}"} for index in range(33)]},
    ],
)
@pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")
def test_key_sets_that_are_refused(document: dict[str, Any]) -> None:
    """Private, symmetric, weak, doubled or unknown keys: the whole set is refused."""
    with pytest.raises(InvalidInput):
        parse_key_set(json.dumps(document).encode())
