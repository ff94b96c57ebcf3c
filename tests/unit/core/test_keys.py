"""Which keys count, and that a key is its material and not its name."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
    x25519,
)

from quorate.errors import InvalidInput, SignatureError
from quorate.keys import PEM_BYTES_MAX, LocalSigner, accept, load_public_key, load_signer

RSA_2048 = rsa.generate_private_key(65537, 2048)
RSA_3072 = rsa.generate_private_key(65537, 3072)
P256 = ec.generate_private_key(ec.SECP256R1())
ACCEPTED: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": P256,
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa3072": RSA_3072,
}
REFUSED: dict[str, Any] = {
    "rsa2048": RSA_2048,
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "p224": ec.generate_private_key(ec.SECP224R1()),
    "k256": ec.generate_private_key(ec.SECP256K1()),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "x25519": x25519.X25519PrivateKey.generate(),
    "dsa": dsa.generate_private_key(2048),
}


def public_pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(encoding, form).decode())


def private_pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(encoding, form, encryption))


@pytest.mark.parametrize("key", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted_keys_sign_and_verify(key: Any) -> None:
    """Every accepted kind verifies its own signature, and nothing else."""
    signer = load_signer(private_pem(key))
    public = load_public_key(public_pem(key))
    assert signer.public_key == public
    signature = signer.sign(b"data")
    public.verify(signature, b"data")
    for wrong, data in ((signature, b"Data"), (signature[:-1], b"data"), (b"", b"data")):
        with pytest.raises(SignatureError):
            public.verify(wrong, data)


@pytest.mark.requirement("P-521 and short RSA keys are refused")
@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED.keys())
def test_other_keys_are_refused(key: Any) -> None:
    """Neither as a public nor as a private key does any other kind count."""
    with pytest.raises(InvalidInput):
        load_public_key(public_pem(key))
    with pytest.raises(InvalidInput):
        load_signer(private_pem(key))


def test_ecdsa_hash_follows_the_curve() -> None:
    """A P-256 signature over SHA-384 does not verify: one key, one scheme."""
    signature = P256.sign(b"data", ec.ECDSA(hashes.SHA384()))
    with pytest.raises(SignatureError):
        accept(P256.public_key()).verify(signature, b"data")


def test_rsa_is_pss_only() -> None:
    """An RSA signature with the old padding does not verify."""
    signature = RSA_3072.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(SignatureError):
        accept(RSA_3072.public_key()).verify(signature, b"data")


@pytest.mark.requirement("the same key under two spellings is one key")
def test_spelling_of_a_pem_does_not_change_the_key() -> None:
    """Line breaks, line length, text around the block and point compression change nothing."""
    plain = public_pem(P256)
    body = "".join(plain.splitlines()[1:-1])
    one_line = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    windows = plain.replace("\n", "\r\n")
    explained = f"the owner's key\n{plain}"
    point = P256.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    compressed = (
        "-----BEGIN PUBLIC KEY-----\n"
        + base64.b64encode(der).decode()
        + "\n-----END PUBLIC KEY-----\n"
    )
    spellings = [plain, one_line, windows, explained, compressed]
    assert len(set(spellings)) == len(spellings)
    keys = {load_public_key(pem) for pem in spellings}
    assert len(keys) == 1
    assert {load_public_key(pem).key_id for pem in spellings} == {keys.pop().key_id}


def test_different_keys_differ() -> None:
    """Two keys are never equal, nor do they share an id."""
    keys = {accept(key.public_key()) for key in ACCEPTED.values()}
    assert len(keys) == len({key.key_id for key in keys}) == len(ACCEPTED)
    assert accept(P256.public_key()) != "sha256:"


def test_pem_round_trip() -> None:
    """The PEM a key gives is one it is read from."""
    for key in ACCEPTED.values():
        public = accept(key.public_key())
        assert load_public_key(public.pem) == public


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "junk",
        public_pem(P256) * 2,
        public_pem(P256)[:60],
        public_pem(P256).replace("PUBLIC", "PRIVATE"),
        public_pem(P256).replace("M", "\u00e9"),
        private_pem(P256).decode(),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "x" * (PEM_BYTES_MAX + 1),
    ],
    ids=[
        *("empty", "junk", "two keys", "truncated", "mislabelled", "not ascii", "private key"),
        *("no body", "certificate", "huge"),
    ],
)
def test_what_is_no_public_key_is_refused(pem: str) -> None:
    """Exactly one PEM public key, or InvalidInput."""
    with pytest.raises(InvalidInput):
        load_public_key(pem)


@pytest.mark.parametrize("pem", [b"", b"junk", b"\xff" * 50, public_pem(P256).encode()])
def test_what_is_no_private_key_is_refused(pem: bytes) -> None:
    """Anything but a PEM private key is InvalidInput."""
    with pytest.raises(InvalidInput):
        load_signer(pem)


def test_encrypted_key_needs_its_password() -> None:
    """No password, the wrong one, or one too many: InvalidInput."""
    encrypted = private_pem(P256, b"right")
    assert load_signer(encrypted, b"right").public_key == accept(P256.public_key())
    for pem, password in ((encrypted, None), (encrypted, b"wrong"), (private_pem(P256), b"x")):
        with pytest.raises(InvalidInput):
            load_signer(pem, password)


def test_signer_refuses_keys_that_do_not_count() -> None:
    """A signer whose signatures nobody would accept cannot be made."""
    with pytest.raises(InvalidInput, match="3072"):
        LocalSigner(RSA_2048)
