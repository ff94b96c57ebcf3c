"""Whose signatures a policy accepts: keys, certificates, keyless identities."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import Model, ShortName, cel, list_map


class NamedKey(Model):
    """A public key and what people call it."""

    name: ShortName = Field(description="What people call the key; has no meaning to a decision.")
    public_key: Annotated[str, StringConstraints(min_length=64, max_length=4096)] = Field(
        description="One PEM public key: Ed25519, ECDSA P-256 or P-384, or RSA from 3072 bits.",
        json_schema_extra=cel(
            (
                "self.startsWith('-----BEGIN PUBLIC KEY-----')",
                "publicKey must be a PEM text that begins with -----BEGIN PUBLIC KEY-----",
            ),
            ("!self.contains('PRIVATE KEY')", "publicKey must not hold a private key"),
        ),
    )


Certificates = Annotated[str, StringConstraints(min_length=64, max_length=32_768)]
"""PEM certificates. Their content is checked when the policy is compiled."""
_PEM_CERTIFICATES = "must be PEM certificates that begin with -----BEGIN CERTIFICATE-----"
Identity = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


def _certificates(field: str) -> dict[str, Any]:
    return cel(
        ("self.startsWith('-----BEGIN CERTIFICATE-----')", f"{field} {_PEM_CERTIFICATES}"),
    )


class CertificateIdentity(Model):
    """Somebody whose certificate an authority named here issued."""

    name: ShortName = Field(description="What people call the signer; has no meaning otherwise.")
    ca: Certificates = Field(
        description="PEM certificates of the authorities (1 to 4) that may have issued the "
        "signer's, directly or through intermediates in the bundle. No other root counts.",
        json_schema_extra=_certificates("ca"),
    )
    subject_alternative_name: Identity | None = Field(
        default=None,
        description="The certificate's only alternative name (e-mail, URI or DNS), exactly.",
    )
    common_name: Identity | None = Field(
        default=None, description="The certificate's only common name, exactly."
    )
    timestamp_authority: Certificates | None = Field(
        default=None,
        description="PEM chain of an RFC 3161 timestamp authority, its signing certificate first "
        "and its root last. A signature it saw in time outlives the certificate; unset, the "
        "certificate must be valid now.",
        json_schema_extra=_certificates("timestampAuthority"),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.subjectAlternativeName) != has(self.commonName)",
                "certificates must name exactly one of subjectAlternativeName and commonName",
            )
        )
    )


class KeylessIdentity(Model):
    """Somebody whose identity an OpenID Connect issuer confirmed to a Sigstore authority."""

    name: ShortName = Field(description="What people call the signer; has no meaning otherwise.")
    identity: Identity = Field(
        description="The certificate's only alternative name, exactly: an e-mail address, or the "
        "URI of a workflow."
    )
    issuer: Identity = Field(
        description="URL of the OpenID Connect issuer, exactly.",
        json_schema_extra=cel(
            ("self.startsWith('https://')", "issuer must be a URL that begins with https://")
        ),
    )


class Approvers(Model):
    """Who may approve an exception to the policy. Keys only: admission verifies them itself."""

    threshold: int = Field(
        default=1, ge=1, le=limits.SIGNATURES, description="How many different keys must approve."
    )
    keys: list[NamedKey] = Field(
        min_length=1,
        max_length=limits.SIGNATURES,
        description="Keys of people who may approve. One key listed twice counts once.",
        json_schema_extra=list_map("name"),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.threshold <= size(self.keys)", "threshold must not exceed the number of keys"),
            (
                "self.keys.all(key, self.keys.exists_one(other, other.publicKey == key.publicKey))",
                "keys must be different: one key listed twice counts once",
            ),
        )
    )


class Signers(Model):
    """Whose signatures count, and how many different signers there must be."""

    threshold: int = Field(
        default=1, ge=1, le=limits.SIGNATURES, description="How many different signers must sign."
    )
    keys: list[NamedKey] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Keys that count. One key listed twice counts once.",
        json_schema_extra=list_map("name"),
    )
    certificates: list[CertificateIdentity] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Identities that count with a certificate of a named authority.",
        json_schema_extra=list_map("name"),
    )
    keyless: list[KeylessIdentity] = Field(
        default_factory=list,
        max_length=limits.SIGNATURES,
        description="Identities that count with a Sigstore certificate and log entry.",
        json_schema_extra=list_map("name"),
    )
    trusted_root: Annotated[str, StringConstraints(min_length=2, max_length=65_536)] | None = Field(
        default=None,
        description="Sigstore trusted root (JSON) that keyless signatures are verified under, "
        "offline. Required with keyless.",
        json_schema_extra=cel(
            ("self.startsWith('{')", "trustedRoot must be a JSON object"),
        ),
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.threshold <= (has(self.keys) ? size(self.keys) : 0) + "
                "(has(self.certificates) ? size(self.certificates) : 0) + "
                "(has(self.keyless) ? size(self.keyless) : 0)",
                "threshold must not exceed the number of keys, certificates and keyless identities",
            ),
            (
                "!has(self.keys) || self.keys.all(key, "
                "self.keys.exists_one(other, other.publicKey == key.publicKey))",
                "keys must be different: one key listed twice counts once",
            ),
            (
                "(has(self.keyless) && size(self.keyless) > 0) == has(self.trustedRoot)",
                "trustedRoot must be set with keyless, and must not be set without",
            ),
        )
    )
