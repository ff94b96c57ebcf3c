"""The Sigstore bundle (v0.3) around the envelope, as OMS writes it for every method."""

from typing import Final

from quorate import limits
from quorate.errors import InvalidInput
from quorate.evidence import dsse, signatures

BUNDLE_TYPE: Final = signatures.BUNDLE_TYPE


def parse_bundle(data: bytes) -> signatures.Bundle:
    """Read a bundle around an envelope. Raises InvalidInput for anything but the exact form."""
    bundle = signatures.parse_bundle(data, bytes_max=limits.BUNDLE_BYTES)
    if bundle.envelope is None:
        raise InvalidInput(
            "must have a dsseEnvelope", field="bundle", fix="sign the model, not a file"
        )
    return bundle


def parse_envelope(data: bytes) -> dsse.Envelope:
    """The envelope of a bundle. Nothing in it is to be believed: no signature is checked."""
    envelope = parse_bundle(data).envelope
    assert envelope is not None  # noqa: S101 - parse_bundle saw to it
    return envelope
