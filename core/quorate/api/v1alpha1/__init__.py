"""``quorate.dev/v1alpha1``: these models are the one source of the CRDs and the reference docs."""

from quorate.api.v1alpha1.attested_model import AttestedModel
from quorate.api.v1alpha1.safety_committee import SafetyCommittee
from quorate.api.v1alpha1.safety_exception import SafetyException
from quorate.api.v1alpha1.safety_incident import SafetyIncident
from quorate.api.v1alpha1.safety_policy import ClusterSafetyPolicy, SafetyPolicy

KINDS = (
    SafetyPolicy,
    ClusterSafetyPolicy,
    AttestedModel,
    SafetyIncident,
    SafetyException,
    SafetyCommittee,
)

__all__ = [
    "KINDS",
    "AttestedModel",
    "ClusterSafetyPolicy",
    "SafetyCommittee",
    "SafetyException",
    "SafetyIncident",
    "SafetyPolicy",
]
