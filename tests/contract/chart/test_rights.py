"""Who may do what: the whole table, so that a right nobody decided on fails the test."""

import pytest

from quorate import names
from quorate.consensus.thresholds import PRESETS
from tests.contract.chart.rendered import Document, named, rendered

pytestmark = pytest.mark.cluster

Right = tuple[str, str, str]
"""(resource or path, names, verbs)."""

READ = "get,list,watch"
KEYS = ",".join(names.member_key(f"member-{number}") for number in range(PRESETS["standard"].n + 1))
"""Of the members and the spare: the install Job alone reads them, to see that they fit."""
PEOPLE = ("-view", "-edit", "-explain", "-evidence-reader", "-committee-proposer")
"""Roles of people: aggregated into Kubernetes' own, for everybody who is logged in, or for a
namespace to bind."""
EXPECTED: dict[str, set[Right]] = {
    "ClusterRole/quorate-operator": {
        ("namespaces", "", READ),
        ("namespaces", "", "patch"),
        ("persistentvolumeclaims", "", READ),
        ("pods", "", "delete,get,list,patch,watch"),
        ("quorate.dev/safetypolicies", "", READ),
        ("quorate.dev/clustersafetypolicies", "", READ),
        ("quorate.dev/attestedmodels", "", READ),
        ("quorate.dev/safetypolicies/status", "", "patch"),
        ("quorate.dev/clustersafetypolicies/status", "", "patch"),
        ("quorate.dev/attestedmodels/status", "", "patch"),
        ("quorate.dev/safetyexceptions", "", READ),
        ("quorate.dev/safetyexceptions/status", "", "patch"),
        ("quorate.dev/safetycommittees", "committee", "get"),
        ("quorate.dev/safetycommittees/status", "committee", "patch"),
        ("quorate.dev/safetyincidents", "", "create,get"),
        ("quorate.dev/safetyincidents/status", "", "patch"),
        ("events.k8s.io/events", "", "create,patch"),
    },
    "Role/quorate-operator": {
        ("coordination.k8s.io/leases", "", "create"),
        ("coordination.k8s.io/leases", "quorate-operator", "get,update"),
        ("secrets", "quorate-webhook-ca", "get"),
        ("secrets", "quorate-webhook-tls", "get,update"),
        ("apps/statefulsets", "", "list"),
        ("discovery.k8s.io/endpointslices", "", "list"),
        ("quorate.dev/safetyincidents", "", "list"),
        ("configmaps", "", "get"),
    },
    # Bound by namespaces, for the ConfigMaps that their models name.
    "ClusterRole/quorate-evidence-reader": {("configmaps", "", "get")},
    "ClusterRole/quorate-webhook": {
        ("quorate.dev/safetypolicies", "", "list,watch"),
        ("quorate.dev/clustersafetypolicies", "", "list,watch"),
        ("quorate.dev/attestedmodels", "", "list,watch"),
        ("pods", "", "list,watch"),
        ("persistentvolumeclaims", "", "list,watch"),
    },
    "Role/quorate-webhook": {("quorate.dev/safetyexceptions", "", "list,watch")},
    "ClusterRole/quorate-install": {
        ("namespaces", "kube-system", "get"),
        ("admissionregistration.k8s.io/mutatingwebhookconfigurations", "quorate", "get,patch"),
        ("admissionregistration.k8s.io/validatingwebhookconfigurations", "quorate", "get,patch"),
        ("quorate.dev/safetycommittees", "", "create"),
        ("quorate.dev/safetycommittees", "committee", "get"),
        ("/openid/v1/jwks", "", "get"),
        ("/.well-known/openid-configuration", "", "get"),
    },
    "Role/quorate-install": {
        ("secrets", "", "create"),
        ("configmaps", "", "create"),
        ("secrets", f"quorate-genesis,{KEYS},quorate-webhook-ca", "get"),
        ("secrets", "quorate-webhook-tls", "get,update"),
        ("configmaps", "quorate-genesis", "get"),
        ("configmaps", "quorate-token-keys", "get,update"),
        ("discovery.k8s.io/endpointslices", "", "list"),
    },
    "ClusterRole/quorate-view": {
        ("quorate.dev/safetypolicies", "", READ),
        ("quorate.dev/clustersafetypolicies", "", READ),
        ("quorate.dev/attestedmodels", "", READ),
        ("quorate.dev/safetyincidents", "", READ),
        ("quorate.dev/safetyexceptions", "", READ),
        ("quorate.dev/safetycommittees", "", READ),
    },
    "ClusterRole/quorate-committee-proposer": {
        ("quorate.dev/safetycommittees", "committee", "get,patch,update"),
    },
    "ClusterRole/quorate-edit": {
        ("quorate.dev/safetypolicies", "", "create,delete,patch,update"),
        ("quorate.dev/attestedmodels", "", "create,delete,patch,update"),
    },
    "Role/quorate-explain": {
        ("configmaps", "quorate-genesis,quorate-injection", "get"),
    },
}


def rights(role: Document) -> set[Right]:
    """Every right of a role."""
    found = set()
    for rule in role["rules"]:
        groups = rule.get("apiGroups", [""])
        resources = [
            f"{group}/{resource}" if group else resource
            for group in groups
            for resource in rule.get("resources", [])
        ]
        for subject in resources + rule.get("nonResourceURLs", []):
            by_name = ",".join(sorted(rule.get("resourceNames", [])))
            found.add((subject, by_name, ",".join(sorted(rule["verbs"]))))
    return found


@pytest.mark.requirement("RBAC with exactly what is used")
def test_rights_are_exactly_these() -> None:
    """Every role of the chart, right by right."""
    found = {
        f"{document['kind']}/{document['metadata']['name']}": rights(document)
        for document in rendered()
        if document["kind"] in ("Role", "ClusterRole")
    }
    assert found == EXPECTED


@pytest.mark.requirement("RBAC with exactly what is used")
def test_each_role_is_bound_to_its_own_account() -> None:
    """The account that a role is named for, in our namespace, and no other."""
    documents = rendered()
    bound = set()
    for document in documents:
        if not document["kind"].endswith("RoleBinding"):
            continue
        role = document["roleRef"]
        (subject,) = document["subjects"]
        if subject["name"] == "system:authenticated":
            assert role["name"] == "quorate-explain"
            continue
        assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", "quorate-system")
        assert subject["name"] == role["name"] == document["metadata"]["name"]
        assert named(documents, "ServiceAccount", subject["name"])
        bound.add(f"{role['kind']}/{role['name']}")
    assert bound == {role for role in EXPECTED if not role.endswith(PEOPLE)}


@pytest.mark.requirement("the operator has no write on webhook configurations, policies or keys")
def test_what_the_operator_cannot_do() -> None:
    """No wildcard anywhere; admission is the install account's alone, and only by name."""
    for document in rendered():
        if document["kind"] not in ("Role", "ClusterRole"):
            continue
        for subject, by_name, verbs in rights(document):
            assert "*" not in subject + by_name + verbs
            if "admissionregistration" in subject:
                assert (document["metadata"]["name"], by_name) == ("quorate-install", "quorate")
            if subject == "secrets":
                assert by_name or verbs == "create"
            if KEYS.split(",")[0] in by_name:
                assert document["metadata"]["name"] == "quorate-install"
