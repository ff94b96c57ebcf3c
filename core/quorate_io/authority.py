"""X.509 for our own services: an authority, and the short-lived leafs it signs.

Times come from the caller. Nothing here reads or writes a file.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quorate import limits
from quorate.errors import InvalidInput

AuthorityKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

NO_EXPIRY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, section 4.1.2.5: the time that says a certificate has no planned end."""
SUBJECT_ALTERNATIVE_NAMES = 32
_COMMON_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """A serving certificate and its private key, both PEM, and when the certificate ends."""

    certificate_pem: bytes
    key_pem: bytes
    not_after: datetime


def make_authority(
    name: str, key: AuthorityKey, *, not_before: datetime, not_after: datetime = NO_EXPIRY
) -> x509.Certificate:
    """A self-signed certificate that may sign leafs, and nothing below them.

    A function of its arguments alone for an Ed25519 key, whose signatures are deterministic: a
    service that makes its authority anew at every start shows its clients the same one.
    """
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(name))
        .public_key(public)
        # 19 octets of the key's identifier, positive: RFC 5280 allows at most 20.
        .serial_number(int.from_bytes(b"\x01" + identifier.digest[:18], "big"))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return builder.sign(key, _signature_hash(key))


def issue_leaf(
    authority: x509.Certificate,
    authority_key: AuthorityKey,
    names: Sequence[str],
    *,
    now: datetime,
    life: timedelta,
) -> Leaf:
    """A serving certificate for ``names`` (DNS names or IP addresses) with a new P-256 key.

    It begins limits.CLOCK_SKEW before ``now`` for peers whose clock is behind, and ends ``life``
    after. Raises InvalidInput without a name, with too many, or for a life that is not positive.
    """
    if not 1 <= len(names) <= SUBJECT_ALTERNATIVE_NAMES:
        raise InvalidInput(f"must be 1 to {SUBJECT_ALTERNATIVE_NAMES} names", field="names")
    if life <= timedelta(0):
        raise InvalidInput("must be positive", field="life")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.public_key()
    if authority_key.public_key() != issuer:
        raise InvalidInput("is not the authority's key", field="authority key")
    not_after = (now + life).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_common_name(names[0]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=limits.CLOCK_SKEW))
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, _signature_hash(authority_key))
    )
    return Leaf(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        not_after=not_after,
    )


def renew_at(now: datetime, not_after: datetime) -> datetime:
    """When to replace what is valid from ``now`` to ``not_after``: after two thirds of its life."""
    return now + (not_after - now) * 2 / 3


def _common_name(name: str) -> x509.Name:
    # Clients look at the alternative names only; the common name is for people.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME_CHARS])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signature_hash(key: AuthorityKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
