"""The kinds the command line reads, and where the API server serves them."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from quorate import names
from quorate.api.v1alpha1 import KINDS

Document = dict[str, Any]
"""An object as the API server gives it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: its group, version and plural. ``group`` is empty for the core group."""

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """``group/version``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As kubectl and RBAC name it: ``plural.group``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """Path of the collection (of all namespaces if none is given) or of one object."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        return "/".join([*parts, quote(name, safe="")] if name else parts)


def _own(kind: str) -> Kind:
    model = next(model for model in KINDS if model.kind_name == kind)
    return Kind(kind, names.GROUP, names.VERSION, model.plural, model.namespaced)


SAFETY_POLICY: Final = _own("SafetyPolicy")
CLUSTER_SAFETY_POLICY: Final = _own("ClusterSafetyPolicy")
ATTESTED_MODEL: Final = _own("AttestedModel")
SAFETY_EXCEPTION: Final = _own("SafetyException")
SAFETY_INCIDENT: Final = _own("SafetyIncident")
SAFETY_COMMITTEE: Final = _own("SafetyCommittee")

CONFIG_MAP: Final = Kind("ConfigMap", "", "v1", "configmaps", True)
EVENT: Final = Kind("Event", "", "v1", "events", True)
NAMESPACE: Final = Kind("Namespace", "", "v1", "namespaces", False)
POD: Final = Kind("Pod", "", "v1", "pods", True)
CLAIM: Final = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", True)
SECRET: Final = Kind("Secret", "", "v1", "secrets", True)
SERVICE: Final = Kind("Service", "", "v1", "services", True)

CUSTOM_RESOURCE: Final = Kind(
    "CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions", False
)
DAEMON_SET: Final = Kind("DaemonSet", "apps", "v1", "daemonsets", True)
DEPLOYMENT: Final = Kind("Deployment", "apps", "v1", "deployments", True)
REPLICA_SET: Final = Kind("ReplicaSet", "apps", "v1", "replicasets", True)
STATEFUL_SET: Final = Kind("StatefulSet", "apps", "v1", "statefulsets", True)
CRON_JOB: Final = Kind("CronJob", "batch", "v1", "cronjobs", True)
JOB: Final = Kind("Job", "batch", "v1", "jobs", True)

_ADMISSION = ("admissionregistration.k8s.io", "v1")
MUTATING: Final = Kind(
    "MutatingWebhookConfiguration", *_ADMISSION, "mutatingwebhookconfigurations", False
)
VALIDATING: Final = Kind(
    "ValidatingWebhookConfiguration", *_ADMISSION, "validatingwebhookconfigurations", False
)
ADMISSION_POLICY: Final = Kind(
    "ValidatingAdmissionPolicy", *_ADMISSION, "validatingadmissionpolicies", False
)
ADMISSION_BINDING: Final = Kind(
    "ValidatingAdmissionPolicyBinding", *_ADMISSION, "validatingadmissionpolicybindings", False
)

WORKLOADS: Final = (
    DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, JOB, CRON_JOB,
)  # fmt: skip
"""Kinds that hold a template of pods."""
