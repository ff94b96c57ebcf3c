"""Whom a policy accepts, who signed, and how many people that is."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quorate.errors import InvalidInput, LimitExceeded
from quorate.keys import PublicKey

SIGNERS_MAX = 64
"""Signers one set may name; with limits.SIGNATURES it bounds the work of hostile documents."""


def key_id_of(certificate: x509.Certificate) -> str:
    """``sha256:<hex>`` of a certificate's SubjectPublicKeyInfo, whatever kind of key it is."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


class Method(StrEnum):
    """How somebody signed."""

    KEY = "key"
    CERTIFICATE = "certificate"
    KEYLESS = "keyless"


@dataclass(frozen=True, slots=True)
class CertificateSigner:
    """Somebody whose certificate one of ``authorities`` (trust anchors) issued.

    Pinned by exactly one of ``subject_alternative_name`` and ``common_name``. With
    ``timestamp_authority`` (signing certificate first, root last) a signature also counts if such
    an authority says that it was made while the certificate was valid.
    """

    name: str
    authorities: tuple[x509.Certificate, ...]
    subject_alternative_name: str = ""
    common_name: str = ""
    timestamp_authority: tuple[x509.Certificate, ...] = ()

    @property
    def pin(self) -> str:
        """The identity the leaf must carry."""
        return self.subject_alternative_name or f"CN={self.common_name}"

    @property
    def mark(self) -> str:
        """What all signatures have in common that count for this signer."""
        anchors = sorted(key_id_of(authority) for authority in self.authorities)
        return f"certificate:{self.pin}:{','.join(anchors)}"


@dataclass(frozen=True, slots=True)
class KeylessSigner:
    """Somebody who an OpenID Connect ``issuer`` says is ``identity``; both compared exactly."""

    name: str
    identity: str
    issuer: str

    @property
    def mark(self) -> str:
        """What all signatures have in common that count for this signer."""
        return f"keyless:{self.identity}:{self.issuer}"


@dataclass(frozen=True, slots=True)
class SignerSet:
    """Whom to accept, and how many different ones of them must have signed.

    ``trusted_root`` is a Sigstore trusted root (JSON), the only one keyless signatures count under.
    """

    keys: tuple[PublicKey, ...] = ()
    certificates: tuple[CertificateSigner, ...] = ()
    keyless: tuple[KeylessSigner, ...] = ()
    trusted_root: str = ""
    threshold: int = 1

    @property
    def size(self) -> int:
        """How many different signers are named."""
        keys = {key.key_id for key in self.keys}
        certified = {signer.mark for signer in self.certificates}
        return len(keys) + len(certified) + len({signer.mark for signer in self.keyless})

    def needing(self, threshold: int) -> "SignerSet":
        """The same signers with another threshold."""
        return replace(self, threshold=threshold)

    def check(self) -> None:
        """Raise InvalidInput if the threshold cannot be meant or keyless has nothing to trust."""
        if self.size > SIGNERS_MAX:
            raise LimitExceeded(f"more than {SIGNERS_MAX}", field="signers")
        if not 1 <= self.threshold <= self.size:
            raise InvalidInput(
                f"must be between 1 and the number of distinct signers, {self.size}; "
                f"is {self.threshold}",
                field="threshold",
            )
        if self.keyless and not self.trusted_root:
            raise InvalidInput("must be set for keyless signers", field="trustedRoot")


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One signature that counts.

    ``marks`` is everything that tells people apart: the key, and each identity under its issuer.
    ``not_after`` is when the signature stops counting, None if it does not.
    """

    method: Method
    signer: str
    marks: frozenset[str]
    not_after: datetime | None = None
    signed_at: datetime | None = None
    """When a trusted party saw the signature, if one did."""


def distinct(signatures: Iterable[SignedBy]) -> tuple[tuple[SignedBy, ...], ...]:
    """Group signatures by person: those that share a mark, directly or through others, are one.

    So a key counts once, whether listed as such, under two names, or within a certificate; and a
    certificate renewed with another key is still its owner's.
    """
    groups: list[tuple[set[str], list[SignedBy]]] = []
    for signature in signatures:
        marks, members = set(signature.marks), [signature]
        apart = []
        for group in groups:
            if group[0].isdisjoint(marks):
                apart.append(group)
            else:
                marks |= group[0]
                members = group[1] + members
        groups = [*apart, (marks, members)]
    return tuple(tuple(members) for _, members in groups)


def holds_until(signatures: Iterable[SignedBy], threshold: int) -> datetime | None:
    """When fewer than ``threshold`` people's signatures count any more; None if never."""
    forever = datetime.max.replace(tzinfo=UTC)
    ends = sorted(
        (max(one.not_after or forever for one in group) for group in distinct(signatures)),
        reverse=True,
    )
    end = ends[threshold - 1]
    return None if end == forever else end
