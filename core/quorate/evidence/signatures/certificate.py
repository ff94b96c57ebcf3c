"""A signer's certificate: its chain to an authority the policy names, its use and its names.

Source: RFC 5280, and OMS v1.0 section 8.2. The path is built and checked by the cryptography
library; here stand the rules that it leaves to the caller. Nothing is trusted but the authorities
given: the machine's web roots never count.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quorate.errors import InvalidInput, QuorateError, SignatureError
from quorate.evidence.signatures.accepted import CertificateSigner, key_id_of
from quorate.evidence.signatures.bundle import CERTIFICATE_BYTES_MAX, CHAIN_MAX
from quorate.keys import PublicKey, accept

AUTHORITIES_MAX = 4
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signer's own certificate as read; nothing in it is to be believed before verification."""

    certificate: x509.Certificate
    public_key: PublicKey
    alternative_names: tuple[str, ...]
    common_names: tuple[str, ...]

    def carries(self, signer: CertificateSigner) -> bool:
        """Whether the names are exactly the pinned one: a second name could be anybody's."""
        if signer.subject_alternative_name:
            return self.alternative_names == (signer.subject_alternative_name,)
        return self.common_names == (signer.common_name,)


@dataclass(frozen=True, slots=True)
class Certified:
    """A verified leaf: what tells its owner apart, and when the first of its chain expires."""

    marks: frozenset[str]
    authority: str
    not_after: datetime


@lru_cache(maxsize=1024)
def load_certificates(pem: str, most: int = AUTHORITIES_MAX) -> tuple[x509.Certificate, ...]:
    """Read PEM certificates and nothing else. Raises InvalidInput. Cached: they repeat."""
    if len(pem) > most * CERTIFICATE_BYTES_MAX:
        raise InvalidInput(f"has more than {most * CERTIFICATE_BYTES_MAX} bytes")
    count = pem.count("-----BEGIN")
    if not 1 <= count <= most or pem.count("-----BEGIN CERTIFICATE-----") != count:
        raise InvalidInput(f"must hold 1 to {most} PEM certificates and nothing else")
    try:
        return tuple(x509.load_pem_x509_certificates(pem.encode("ascii", "strict")))
    except _UNREADABLE as error:
        raise InvalidInput(f"is not PEM certificates: {error}") from None


def load_authorities(pem: str) -> tuple[x509.Certificate, ...]:
    """Read trust anchors: PEM certificates of authorities. Raises InvalidInput."""
    found = load_certificates(pem)
    for certificate in found:
        if not _is_authority(certificate):
            raise InvalidInput("must be the certificate of an authority (CA: true)")
    return found


def read_leaf(der: bytes) -> Leaf:
    """Read a signer's certificate. Raises InvalidInput if malformed or its key cannot count."""
    certificate = _load_der(der)
    try:
        return Leaf(
            certificate,
            accept(certificate.public_key()),
            _alternative_names(certificate),
            tuple(
                str(item.value)
                for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            ),
        )
    except _UNREADABLE as error:
        raise InvalidInput(f"cannot be read: {error}", field="certificate") from None


def verify_chain(chain: tuple[bytes, ...], signer: CertificateSigner, at: datetime) -> Certified:
    """Verify that one of ``signer``'s authorities vouched for ``chain[0]`` at that time.

    Raises SignatureError if it is expired, leads elsewhere, may not sign, or holds a certificate
    that is not part of the path.
    """
    leaf = read_leaf(chain[0])
    check_use(leaf.certificate)
    others = [_load_der(der) for der in chain[1:]]
    path = _path(leaf.certificate, others, signer, at)
    if any(other not in path for other in others):
        raise SignatureError(
            "holds a certificate that is not on the path to the authority",
            field="certificate",
            fix="sign again with the intermediate certificates only",
        )
    anchor = key_id_of(path[-1])
    names = [*leaf.alternative_names, *(f"CN={name}" for name in leaf.common_names)]
    marks = {f"identity:{anchor}:{name}" for name in names}
    return Certified(
        marks=frozenset(marks | {leaf.public_key.key_id, signer.mark}),
        authority=path[-1].subject.rfc4514_string(),
        not_after=min(one.not_valid_after_utc for one in path),
    )


def _path(
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    signer: CertificateSigner,
    at: datetime,
) -> list[x509.Certificate]:
    policies = verification.ExtensionPolicy
    agnostic = verification.Criticality.AGNOSTIC
    # Authorities are held to the usual profile; a signer's leaf is no web server's, and what it
    # must have besides is checked by check_use.
    authorities = policies.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, agnostic, None
    )
    leaves = (
        policies.permit_all()
        .require_present(x509.KeyUsage, agnostic, None)
        .may_be_present(x509.ExtendedKeyUsage, agnostic, None)
    )
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(signer.authorities)))
        .time(at)
        .max_chain_depth(CHAIN_MAX - 1)
        .extension_policies(ca_policy=authorities, ee_policy=leaves)
        .build_client_verifier()
    )
    try:
        return list(verifier.verify(leaf, others).chain)
    except (verification.VerificationError, *_UNREADABLE) as error:
        why = str(error).removeprefix("validation failed: ")[:200]
        raise SignatureError(
            f"no authority of {signer.name} vouches for it at {at.isoformat()}: {why}",
            field="certificate",
        ) from None


def check_use(leaf: x509.Certificate) -> None:
    """Raise SignatureError unless it is a signer's certificate: no authority's, no server's."""

    def refused(message: str) -> QuorateError:
        return SignatureError(message, field="certificate", fix="sign with a signing certificate")

    if _is_authority(leaf):
        raise refused("is an authority's own certificate")
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise refused("must have key usage digitalSignature") from None
    if not usage.digital_signature:
        raise refused("must have key usage digitalSignature")
    try:
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise refused("must have extended key usage codeSigning, if any")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, x509.ExtensionNotFound):
        return False
    return found.value.ca


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName)
    # Other kinds become a name no pin can equal, so that they still count as a second name.
    return tuple(
        item.value if isinstance(item, kinds) else f"\0{type(item).__name__}"
        for item in found.value
    )


def _load_der(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Extensions are parsed late; a malformed or repeated one must not surprise later.
        _ = certificate.extensions
        if certificate.serial_number <= 0:
            raise InvalidInput("must have a positive serial number", field="certificate")
    except _UNREADABLE as error:
        raise InvalidInput(f"cannot be read: {error}", field="certificate") from None
    # The library ignores how many bits of a signature's last byte are said not to be used.
    if not der.endswith(b"\0" + certificate.signature):
        raise InvalidInput("must hold a signature of whole bytes", field="certificate")
    return certificate
