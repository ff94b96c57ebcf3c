"""Key files and signatures under arbitrary and mutated input."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError, SignatureError
from quorate.keys import LocalSigner, load_public_key, load_signer

SIGNERS = [
    LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)),
    LocalSigner(ec.derive_private_key(7, ec.SECP256R1())),
    LocalSigner(ec.derive_private_key(7, ec.SECP384R1())),
]
PEM = SIGNERS[1].public_key.pem
DATA = b"what was signed"


@given(st.text(max_size=300))
def test_arbitrary_texts_are_no_keys(text: str) -> None:
    """Texts that are no PEM public key are refused in an orderly way."""
    with pytest.raises(QuorateError):
        load_public_key(text)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_private_keys(data: bytes) -> None:
    """Bytes that are no PEM private key are refused in an orderly way."""
    with pytest.raises(QuorateError):
        load_signer(data)


@given(st.binary(max_size=200))
def test_arbitrary_bodies_of_a_pem_are_read_or_refused(body: bytes) -> None:
    """Any DER inside the PEM frame is a key that counts, or refused."""
    text = base64.b64encode(body).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
    with pytest.raises(QuorateError):
        load_public_key(pem)


@given(st.integers(0, len(PEM) - 1), st.characters(codec="ascii"))
@settings(max_examples=200)
def test_mutated_pem_is_refused_or_never_verifies_by_another_key(index: int, char: str) -> None:
    """A changed character gives the same key, another key, or a refusal, never a crash."""
    pem = PEM[:index] + char + PEM[index + 1 :]
    try:
        key = load_public_key(pem)
    except QuorateError:
        return
    signature = SIGNERS[1].sign(DATA)
    if key == SIGNERS[1].public_key:
        key.verify(signature, DATA)
    else:
        with pytest.raises(SignatureError):
            key.verify(signature, DATA)


@given(st.sampled_from(SIGNERS), st.binary(max_size=150))
def test_arbitrary_signatures_never_verify(signer: LocalSigner, signature: bytes) -> None:
    """Bytes nobody signed are SignatureError, whatever their form."""
    with pytest.raises(SignatureError):
        signer.public_key.verify(signature, DATA)


@given(st.sampled_from(SIGNERS), st.integers(0, 10_000), st.integers(1, 255))
def test_mutated_data_never_verifies(signer: LocalSigner, index: int, flip: int) -> None:
    """One changed byte of the data breaks the signature."""
    data = bytearray(DATA)
    data[index % len(data)] ^= flip
    signature = signer.sign(DATA)
    with pytest.raises(SignatureError):
        signer.public_key.verify(signature, bytes(data))
