"""Who signed: by a key, with a certificate, or keyless. The same rules for every signed document.

A policy says whom it accepts (:class:`SignerSet`); :func:`verify` reads a DSSE envelope or a
Sigstore bundle and returns the payload with those of them that signed it. Thresholds count people
as far as signatures can tell them apart: see :func:`distinct`.
"""

from quorate.evidence.signatures.accepted import (
    CertificateSigner,
    KeylessSigner,
    Method,
    SignedBy,
    SignerSet,
    distinct,
    holds_until,
)
from quorate.evidence.signatures.bundle import BUNDLE_TYPE, Bundle, parse_bundle
from quorate.evidence.signatures.verification import (
    Context,
    Signed,
    Verified,
    by_key,
    claimed_payload,
    read,
    verify,
    verify_bundle,
    verify_message,
)

__all__ = [
    "BUNDLE_TYPE",
    "Bundle",
    "CertificateSigner",
    "Context",
    "KeylessSigner",
    "Method",
    "Signed",
    "SignedBy",
    "SignerSet",
    "Verified",
    "by_key",
    "claimed_payload",
    "distinct",
    "holds_until",
    "parse_bundle",
    "read",
    "verify",
    "verify_bundle",
    "verify_message",
]
