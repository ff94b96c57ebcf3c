"""Any change of a signature that cosign made leaves the image unsigned."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.image_signing.tagged import is_embedded, parse_embedded
from quorate.evidence.signatures import parse_bundle
from tests.fakes.recorded_cosign import Recorded, recordings

SIGNED_ONCE = [
    one for name, one in recordings().items() if len(one.documents()) == 1 and "ed25519" not in name
]
RECORDED = st.sampled_from(SIGNED_ONCE)


def signed_parts(document: bytes) -> object:
    """What is signed, by whom, and the signature; None for what is neither form."""
    try:
        if is_embedded(document):
            return parse_embedded(document)
        bundle = parse_bundle(document)
    except QuorateError:
        return None
    if bundle.envelope is None:
        return None
    envelope = bundle.envelope
    message = dsse.pae(envelope.payload_type, envelope.payload)
    return message, bundle.signature, bundle.chain


@pytest.mark.requirement("any byte of valid evidence changed: denied")
@settings(max_examples=300, deadline=None)
@given(RECORDED, st.integers(0, 2**16), st.integers(0, 255))
def test_any_changed_byte_denies(recorded: Recorded, position: int, byte: int) -> None:
    """Unless what was signed, the certificates and the signature are the very same."""
    (document,) = recorded.documents()
    data = document.encode()
    position %= len(data)
    changed = data[:position] + bytes([byte]) + data[position + 1 :]
    assert recorded.signed(document) == {recorded.image}
    if signed_parts(changed) != signed_parts(data):
        assert recorded.signed(changed.decode("utf-8", "surrogateescape")) == set()
