"""The kinds the operator watches, and where the API server serves them."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from quorate import names
from quorate.api.v1alpha1 import (
    AttestedModel,
    ClusterSafetyPolicy,
    SafetyCommittee,
    SafetyException,
    SafetyIncident,
    SafetyPolicy,
)
from quorate.api.v1alpha1.meta import Resource
from quorate.certificate import PolicyRef


class Key(NamedTuple):
    """Which object. ``namespace`` is empty for a cluster-wide one."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: its path under the API server, and the labels an object must carry to be watched.

    ``page`` is how many objects a list asks for at a time: it bounds memory.
    """

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool
    label_selector: str = ""
    page: int = 500

    @property
    def api_version(self) -> str:
        """``group/version``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Path of the collection (of all namespaces if none is given) or of one object."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join([*parts, *(part for part in (name, subresource) if part)])


def _own(kind: type[Resource]) -> Kind:
    # Each may be as large as etcd lets it be: 1.5 MiB of evidence in a model.
    return Kind(kind.kind_name, names.GROUP, names.VERSION, kind.plural, kind.namespaced, page=10)


SAFETY_POLICY: Final = _own(SafetyPolicy)
CLUSTER_SAFETY_POLICY: Final = _own(ClusterSafetyPolicy)
ATTESTED_MODEL: Final = _own(AttestedModel)
SAFETY_INCIDENT: Final = _own(SafetyIncident)
SAFETY_EXCEPTION: Final = _own(SafetyException)
SAFETY_COMMITTEE: Final = _own(SafetyCommittee)
POD: Final = Kind("Pod", "", "v1", "pods", True, names.MODEL_LABEL)
ANY_POD: Final = Kind("Pod", "", "v1", "pods", True)
"""Pods whether they name a model or not."""
NODE: Final = Kind("Node", "", "v1", "nodes", False)
NAMESPACE: Final = Kind("Namespace", "", "v1", "namespaces", False, names.MODE_LABEL)
CLAIM: Final = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", True)
EVENT: Final = Kind("Event", "events.k8s.io", "v1", "events", True)
LEASE: Final = Kind("Lease", "coordination.k8s.io", "v1", "leases", True)
SECRET: Final = Kind("Secret", "", "v1", "secrets", True)
STATEFUL_SET: Final = Kind("StatefulSet", "apps", "v1", "statefulsets", True)
CONFIG_MAP: Final = Kind("ConfigMap", "", "v1", "configmaps", True)

WATCHED: Final = (
    NAMESPACE,
    CLUSTER_SAFETY_POLICY,
    SAFETY_POLICY,
    SAFETY_EXCEPTION,
    ATTESTED_MODEL,
    CLAIM,
    POD,
)
"""In the order of the first listing: what decides comes before what is decided."""
POLICY_KINDS: Final = (CLUSTER_SAFETY_POLICY.name, SAFETY_POLICY.name)
SOURCED_KINDS: Final = (*POLICY_KINDS, ATTESTED_MODEL.name)
"""Kinds whose objects may name sources of documents."""


def policy_key(ref: PolicyRef) -> Key:
    """The key of the policy that certificates name so."""
    return Key(ref.kind, ref.namespace or "", ref.name)
