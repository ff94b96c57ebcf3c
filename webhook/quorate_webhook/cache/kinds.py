"""The kinds that are watched, and where the API server has them."""

from dataclasses import dataclass

from quorate import names

_OWN = f"/apis/{names.API_VERSION}"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``page`` is how many objects a list asks for at a time: it bounds memory."""

    name: str
    api_version: str
    path: str
    page: int
    field_selector: str = ""


CLUSTER_POLICY = Kind(
    "ClusterSafetyPolicy", names.API_VERSION, f"{_OWN}/clustersafetypolicies", 100
)
POLICY = Kind("SafetyPolicy", names.API_VERSION, f"{_OWN}/safetypolicies", 100)
# A model may hold 1.5 MiB of evidence.
MODEL = Kind("AttestedModel", names.API_VERSION, f"{_OWN}/attestedmodels", 20)
# Elsewhere they do not count.
EXCEPTION = Kind(
    "SafetyException",
    names.API_VERSION,
    f"{_OWN}/namespaces/{names.NAMESPACE}/safetyexceptions",
    100,
)
CLAIM = Kind("PersistentVolumeClaim", "v1", "/api/v1/persistentvolumeclaims", 250)
# A pod is bound once: afterwards nothing is asked about it, and it leaves this watch.
POD = Kind("Pod", "v1", "/api/v1/pods", 100, "spec.nodeName=")
# Whom somebody wants to exec into: of these only labels and images are kept.
BOUND_POD = Kind("BoundPod", "v1", "/api/v1/pods", 100, "spec.nodeName!=")

KINDS = (CLUSTER_POLICY, POLICY, MODEL, EXCEPTION, CLAIM, POD, BOUND_POD)
