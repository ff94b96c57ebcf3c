"""The webhook's authority and serving certificate as Secrets hold them. No I/O."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate import limits, names
from quorate.errors import InvalidInput
from quorate_io.authority import AuthorityKey, Leaf, issue_leaf, make_authority
from quorate_operator.kinds import SECRET, Key
from quorate_operator.reconcile.leaf import SeenLeaf

CA_SECRET = "quorate-webhook-ca"
LEAF_SECRET = "quorate-webhook-tls"
CERTIFICATE, PRIVATE_KEY = "tls.crt", "tls.key"

LEAF_LIFE = timedelta(days=30)
"""How long a serving certificate counts. The webhook reloads its file within minutes."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs the webhook's serving certificates."""

    certificate: x509.Certificate
    key: AuthorityKey

    @property
    def pem(self) -> bytes:
        """The certificate, as the webhook configurations carry it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def service_names(namespace: str) -> tuple[str, ...]:
    """Every name under which the webhook's Service is dialled; the API server uses the first."""
    base = f"{names.WEBHOOK_SERVICE}.{namespace}.svc"
    return (base, f"{base}.cluster.local", f"{names.WEBHOOK_SERVICE}.{namespace}")


def new_authority(now: datetime) -> Authority:
    """A new authority. It has no planned end: what is trusted is set by whoever installs."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = (now - timedelta(seconds=limits.CLOCK_SKEW)).replace(microsecond=0)
    return Authority(make_authority("quorate webhook", key, not_before=begin), key)


def read_authority(secret: Document) -> Authority:
    """The authority in a Secret. Raises InvalidInput if it cannot be used."""
    try:
        certificate = x509.load_pem_x509_certificate(_entry(secret, CERTIFICATE))
        key = serialization.load_pem_private_key(_entry(secret, PRIVATE_KEY), None)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"holds no authority: {error}", field=_name(secret)) from None
    if not isinstance(key, AuthorityKey) or key.public_key() != certificate.public_key():
        raise InvalidInput("key and certificate are not a pair", field=_name(secret))
    return Authority(certificate, key)


def new_leaf(authority: Authority, namespace: str, now: datetime, life: timedelta) -> Leaf:
    """A serving certificate for the webhook's Service."""
    return issue_leaf(
        authority.certificate, authority.key, service_names(namespace), now=now, life=life
    )


def look_at_leaf(secret: Document, authority: Authority, namespace: str) -> SeenLeaf:
    """How the serving certificate in a Secret stands. Never raises."""
    try:
        certificate = x509.load_pem_x509_certificate(_entry(secret, CERTIFICATE))
        key = serialization.load_pem_private_key(_entry(secret, PRIVATE_KEY), None)
        fits = key.public_key() == certificate.public_key()
        names_match = fits and _names(certificate) >= set(service_names(namespace))
    except (ValueError, TypeError, InvalidInput, x509.ExtensionNotFound):
        return SeenLeaf(None, None, signed_by_authority=False, names_match=False)
    return SeenLeaf(
        certificate.not_valid_before_utc.astimezone(UTC),
        certificate.not_valid_after_utc.astimezone(UTC),
        signed_by_authority=_is_signed(certificate, authority.certificate),
        names_match=names_match,
    )


def tls_secret(key: Key, certificate_pem: bytes, key_pem: bytes) -> Document:
    """A Secret of type kubernetes.io/tls."""
    return {
        "apiVersion": "v1",
        "kind": SECRET.name,
        "metadata": {"name": key.name, "namespace": key.namespace},
        "type": "kubernetes.io/tls",
        "data": {CERTIFICATE: encoded(certificate_pem), PRIVATE_KEY: encoded(key_pem)},
    }


def encoded(data: bytes) -> str:
    """Base64, as Secrets hold bytes."""
    return base64.b64encode(data).decode("ascii")


def _entry(secret: Document, name: str) -> bytes:
    try:
        return base64.b64decode((secret.get("data") or {})[name], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise InvalidInput(f"has no usable {name}: {error}", field=_name(secret)) from None


def _name(secret: Document) -> str:
    return str((secret.get("metadata") or {}).get("name", "Secret"))


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found.get_values_for_type(x509.DNSName))


def _is_signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
