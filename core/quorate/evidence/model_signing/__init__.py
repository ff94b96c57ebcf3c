"""OpenSSF model signing (OMS v1.0), by key, certificate or keyless: bundle, statement, manifest.

Read strictly and without the reference library, which is laxer: it accepts signatures of an older
format and certificates that have expired or bear any name, does not bind file names in the subject,
and leaves out what ``ignore_paths`` lists. Here ignoring never excludes anything: a manifest is
compared with *every* file on disk, and a file that it does not list fails.
"""

from quorate.evidence.model_signing.bundle import BUNDLE_TYPE, parse_bundle, parse_envelope
from quorate.evidence.model_signing.predicate import (
    GIT_PATHS,
    PREDICATE_TYPE,
    Accepted,
    manifest_of,
    statement_of,
)
from quorate.evidence.model_signing.signing import sign_model
from quorate.evidence.model_signing.verification import (
    BUNDLES_MAX,
    SignedModel,
    read_manifest,
    verify_bundle,
    verify_bundles,
)

__all__ = [
    "BUNDLES_MAX",
    "BUNDLE_TYPE",
    "GIT_PATHS",
    "PREDICATE_TYPE",
    "Accepted",
    "SignedModel",
    "manifest_of",
    "parse_bundle",
    "parse_envelope",
    "read_manifest",
    "sign_model",
    "statement_of",
    "verify_bundle",
    "verify_bundles",
]
