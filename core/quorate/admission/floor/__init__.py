"""The floor: admission policies inside the API server, for when our own webhooks are gone.

Generated from :mod:`quorate.admission.injection`, like mutate and validate. The API server runs it
*before* validating webhooks and stops at the first denial, so its messages begin with the same
reason words as validate's. It knows no evidence: it holds the shape of what was injected, the gate
that only the operator removes, the tokens that only nodes may ask for, and who may end enforcement.
"""

from quorate.admission.floor.config import (
    EXCLUDED_NAMESPACES,
    GENESIS_ANNOTATION,
    GENESIS_SECRET,
    FloorConfig,
)
from quorate.admission.floor.policies import enforced_namespaces, policies

__all__ = [
    "EXCLUDED_NAMESPACES",
    "GENESIS_ANNOTATION",
    "GENESIS_SECRET",
    "FloorConfig",
    "enforced_namespaces",
    "policies",
]
