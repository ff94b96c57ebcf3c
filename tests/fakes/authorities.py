"""Certificate authorities for tests: real certificates, made up parties."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PrivateKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quorate.keys import LocalSigner
from tests.fakes.vouching import NOW

DAY = timedelta(days=1)
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING


def name(common_name: str) -> x509.Name:
    """A distinguished name that is just a common name; empty for none."""
    if not common_name:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem(*certificates: x509.Certificate) -> str:
    """Certificates as PEM."""
    parts = (item.public_bytes(serialization.Encoding.PEM) for item in certificates)
    return b"".join(parts).decode()


def der(certificate: x509.Certificate) -> bytes:
    """A certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


@dataclass
class Usage:
    """What a leaf may be used for. ``extended`` None leaves the extension out."""

    digital_signature: bool = True
    present: bool = True
    extended: tuple[x509.ObjectIdentifier, ...] | None = (CODE_SIGNING,)


@dataclass
class Authority:
    """An authority with a P-256 key; self-signed unless ``parent`` issues it."""

    common_name: str = "Test Authority"
    parent: "Authority | None" = None
    not_before: datetime = NOW - 365 * DAY
    not_after: datetime = NOW + 365 * DAY
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.certificate = self._sign(
            self._builder(self.common_name, self.key, self.not_before, self.not_after)
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(_key_usage(digital_signature=False, authority=True), critical=True),
            self.parent or self,
        )

    def issue(
        self,
        key: PrivateKeyTypes,
        *alternative_names: x509.GeneralName,
        common_name: str = "",
        not_before: datetime = NOW - DAY,
        not_after: datetime = NOW + 30 * DAY,
        usage: Usage | None = None,
        extensions: tuple[x509.ExtensionType, ...] = (),
        critical: tuple[x509.ExtensionType, ...] = (),
        serial_number: int | None = None,
    ) -> x509.Certificate:
        """A certificate for ``key`` and these names."""
        usage = usage or Usage()
        builder = self._builder(common_name, key, not_before, not_after, serial_number)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        if usage.present:
            allowed = _key_usage(digital_signature=usage.digital_signature, authority=False)
            builder = builder.add_extension(allowed, critical=True)
        if usage.extended is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage.extended), critical=False)
        if alternative_names:
            names = x509.SubjectAlternativeName(alternative_names)
            builder = builder.add_extension(names, critical=not common_name)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        for extension in critical:
            builder = builder.add_extension(extension, critical=True)
        return self._sign(builder, self)

    def signer(
        self, *alternative_names: x509.GeneralName, **details: object
    ) -> tuple[LocalSigner, x509.Certificate]:
        """A fresh P-256 key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        return LocalSigner(key), self.issue(key, *alternative_names, **details)  # type: ignore[arg-type]

    def _builder(
        self,
        common_name: str,
        key: PrivateKeyTypes,
        not_before: datetime,
        not_after: datetime,
        serial_number: int | None = None,
    ) -> x509.CertificateBuilder:
        issuer = (self.parent or self) if key is self.key else self
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(name(issuer.common_name))
            .public_key(public)  # type: ignore[arg-type]
            .serial_number(serial_number or x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public),  # type: ignore[arg-type]
                critical=False,
            )
        )

    @staticmethod
    def _sign(builder: x509.CertificateBuilder, issuer: "Authority") -> x509.Certificate:
        return builder.sign(issuer.key, hash_for(issuer.key))


def hash_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | None:
    """The hash a key of this kind signs certificates with."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _key_usage(*, digital_signature: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=not digital_signature and not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
