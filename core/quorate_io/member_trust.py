"""From a pinned digest to a channel that can be trusted. Pure: no I/O.

A member serves its genesis and the authority of its TLS certificate to anybody over a channel
nobody verified. The genesis is believed because it hashes to the pinned digest, and an authority
because it is signed by the vote key of a member that this genesis names.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from quorate.canonical import canonical
from quorate.errors import EvidenceError, Expired, InvalidInput, SignatureError, SubjectMismatch
from quorate.genesis import Genesis, parse_genesis
from quorate.keys import accept
from quorate_io import member_api


@dataclass(frozen=True, slots=True)
class Trust:
    """The genesis, and the authorities (PEM) whose leafs a client may believe."""

    genesis: Genesis
    authorities: tuple[str, ...]


def establish(answer: bytes, genesis_digest: str, now: datetime) -> Trust:
    """Check the answer of ``GET /v1/genesis``.

    Raises SubjectMismatch for another genesis or an authority that is no member's, SignatureError
    for one that its key did not sign, Expired, InvalidInput for anything malformed.
    """
    body = member_api.decode(
        answer, member_api.GenesisAnswer, bytes_max=member_api.ANSWER_BYTES, what="genesis answer"
    )
    genesis = parse_genesis(canonical(body.genesis), genesis_digest)
    authorities = tuple(_authority(pem, genesis, now) for pem in body.ca_certificates)
    return Trust(genesis, authorities)


def _authority(pem: str, genesis: Genesis, now: datetime) -> str:
    """The certificate in canonical PEM, so that nothing beside it reaches the TLS library."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
        if len(certificates) != 1 or pem.count("-----BEGIN") != 1:
            raise InvalidInput("must hold exactly one certificate", field="caCertificates[]")
        certificate = certificates[0]
        _check_authority(certificate, genesis, now)
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType) as error:
        raise InvalidInput(f"is not a certificate: {error}", field="caCertificates[]") from None
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _check_authority(certificate: x509.Certificate, genesis: Genesis, now: datetime) -> None:
    key = accept(certificate.public_key())
    if key not in genesis.keys:
        raise SubjectMismatch(f"authority has key {key.key_id}, which is no member's")
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError, ValueError):
        raise SignatureError("authority is not signed by its own key") from None
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Expired("authority is outside the time in which it counts")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise EvidenceError("authority may not sign certificates") from None
    if not constraints.ca:
        raise EvidenceError("authority may not sign certificates")
