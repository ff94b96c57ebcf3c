"""The policies with their bindings, ready to apply."""

from quorate import names
from quorate.admission.floor.changes import changes
from quorate.admission.floor.clauses import Document
from quorate.admission.floor.config import EXCLUDED_NAMESPACES, GENESIS_SECRET, FloorConfig
from quorate.admission.floor.connections import connections
from quorate.admission.floor.guards import configurations, labels, mode, parameter
from quorate.admission.floor.injected import injected
from quorate.admission.floor.removal import cordon, removal
from quorate.admission.floor.required import required
from quorate.admission.floor.restoring import restoring
from quorate.admission.floor.tokens import tokens


def policies(config: FloorConfig) -> list[Document]:
    """Every ValidatingAdmissionPolicy with its binding, ready to apply."""
    documents: list[Document] = []
    for name, spec, binding in (
        ("injection", injected(config), _genesis_param(config)),
        ("required", required(config), _policies_param()),
        ("gate", changes(), {}),
        ("connect", connections(), {}),
        ("labels", labels(), {}),
    ):
        documents += _pair(config, name, spec, binding | _enforced())
    documents += _pair(config, "token", tokens(), {})
    documents += _pair(config, "mode", mode(), {})
    documents += _pair(config, "restore", restoring(), {})
    documents += _pair(config, "configuration", configurations(), {})
    documents += _pair(config, "parameter", parameter(config.namespace), {})
    documents += _pair(config, "cordon", cordon(), {})
    return documents + _pair(config, "removal", removal(config.namespace), {})


def _pair(config: FloorConfig, name: str, spec: Document, binding: Document) -> list[Document]:
    name = f"{config.prefix}-{name}"
    bound = {"policyName": name, "validationActions": ["Deny"], **binding}
    return [
        _document("ValidatingAdmissionPolicy", name, {"failurePolicy": "Fail", **spec}),
        _document("ValidatingAdmissionPolicyBinding", name, bound),
    ]


def _document(kind: str, name: str, spec: Document) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def enforced_namespaces(*modes: str) -> list[Document]:
    """Namespace selector expressions for namespaces of these modes that are not excluded."""
    return [
        {"key": names.MODE_LABEL, "operator": "In", "values": list(modes)},
        {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": list(EXCLUDED_NAMESPACES),
        },
    ]


def _enforced() -> Document:
    selector: Document = {"matchExpressions": enforced_namespaces("enforce")}
    return {"matchResources": {"namespaceSelector": selector}}


def _genesis_param(config: FloorConfig) -> Document:
    reference = {"name": GENESIS_SECRET, "namespace": config.namespace}
    return {"paramRef": reference | {"parameterNotFoundAction": "Deny"}}


def _policies_param() -> Document:
    return {"paramRef": {"selector": {}, "parameterNotFoundAction": "Deny"}}
