"""RFC 3161 timestamps."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from quorate.errors import InvalidInput, SignatureError


def verify(response: bytes, signature: bytes, authority: Sequence[bytes]) -> datetime:
    """When ``authority`` (signer first, root last) saw ``signature``. Raises on failure."""
    chain = [x509.load_der_x509_certificate(der) for der in authority]
    if len(chain) < 2:
        raise InvalidInput("must hold the authority's certificate and its root", field="authority")
    token = decode_timestamp_response(response)
    builder = VerifierBuilder().tsa_certificate(chain[0]).add_root_certificate(chain[-1])
    for intermediate in chain[1:-1]:
        builder = builder.add_intermediate_certificate(intermediate)
    builder.build().verify_message(token, signature)
    seen = token.tst_info.gen_time
    seen = seen.replace(tzinfo=UTC) if seen.tzinfo is None else seen.astimezone(UTC)
    for certificate in chain:
        if not certificate.not_valid_before_utc <= seen <= certificate.not_valid_after_utc:
            raise SignatureError("the authority's certificate was not valid at that time")
    return seen
