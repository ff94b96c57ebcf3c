"""DSSE under arbitrary and mutated input."""

from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.keys import LocalSigner

TYPE = "application/vnd.example+json"
PAYLOAD = b'{"model":"m","digest":"0123456789abcdef"}'
SIGNERS = [
    LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n] * 32))) for n in (1, 2)
]
KEYS = [signer.public_key for signer in SIGNERS]
SIGNED = dsse.sign(PAYLOAD, TYPE, SIGNERS)


def verified_payload(data: bytes, threshold: int) -> bytes | None:
    """The payload if the envelope verifies, None if it is refused in an orderly way."""
    try:
        return dsse.verify(dsse.parse(data), KEYS, threshold, TYPE).payload
    except QuorateError:
        return None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Bytes that nobody signed never verify and never crash."""
    assert verified_payload(data, 1) is None


def test_every_single_byte_mutation_is_refused_or_harmless() -> None:
    """No change of one byte makes an envelope verify with another payload."""
    for index in range(len(SIGNED)):
        for flip in (0x01, 0x20, 0x80):
            data = bytearray(SIGNED)
            data[index] ^= flip
            assert verified_payload(bytes(data), 2) in (None, PAYLOAD)


@given(st.integers(0, len(SIGNED)), st.integers(0, len(SIGNED)), st.binary(max_size=20))
def test_splices_are_refused_or_harmless(start: int, stop: int, insert: bytes) -> None:
    """No cut, insertion or replacement makes an envelope verify with another payload."""
    first, last = sorted((start, stop))
    assert verified_payload(SIGNED[:first] + insert + SIGNED[last:], 2) in (None, PAYLOAD)


@given(st.binary(max_size=500), st.text(min_size=1, max_size=40).filter(str.isprintable))
@example(b"", "t")
@settings(max_examples=50)
def test_round_trip(payload: bytes, payload_type: str) -> None:
    """Whatever is signed comes back unchanged, with every signer."""
    envelope = dsse.parse(dsse.sign(payload, payload_type, SIGNERS))
    verified = dsse.verify(envelope, KEYS, 2, payload_type)
    assert verified.payload == payload
    assert verified.signers == {key.key_id for key in KEYS}
