"""OpenSSF model signing (OMS v1.0), signed with a key: bundle, statement, manifest.

Read strictly and without the reference library, which is laxer: it accepts signatures of an older
format, does not bind file names in the subject, and leaves out what ``ignore_paths`` lists. Here
ignoring never excludes anything: a manifest is compared with *every* file on disk, and a file that
it does not list fails.
"""

from quorate.evidence.model_signing.bundle import BUNDLE_TYPE, parse_bundle
from quorate.evidence.model_signing.predicate import GIT_PATHS, PREDICATE_TYPE, manifest_of
from quorate.evidence.model_signing.verification import (
    BUNDLES_MAX,
    SignedModel,
    verify_bundle,
    verify_bundles,
)

__all__ = [
    "BUNDLES_MAX",
    "BUNDLE_TYPE",
    "GIT_PATHS",
    "PREDICATE_TYPE",
    "SignedModel",
    "manifest_of",
    "parse_bundle",
    "verify_bundle",
    "verify_bundles",
]
