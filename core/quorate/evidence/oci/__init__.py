"""What registries hold, read strictly: references by digest, manifests, lists of referrers.

Format: https://github.com/opencontainers/image-spec and .../distribution-spec, version 1.1.
"""

from quorate.evidence.oci.artifact import (
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Artifact,
    Descriptor,
    parse_artifact,
    parse_index,
)
from quorate.evidence.oci.reference import Reference, parse_reference

__all__ = [
    "EMPTY_TYPE",
    "INDEX_TYPE",
    "MANIFEST_TYPE",
    "Artifact",
    "Descriptor",
    "Reference",
    "parse_artifact",
    "parse_index",
    "parse_reference",
]
