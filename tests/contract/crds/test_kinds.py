"""What the API server makes of the CRDs: conditions, explain texts, columns, transitions."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from quorate import names
from quorate.api.v1alpha1 import KINDS
from quorate.api.v1alpha1.meta import Resource
from tests.contract.crds.installed import cluster_with_crds
from tools.demo.cluster import CommandFailed

pytestmark = pytest.mark.cluster
NAMESPACE = "ch-contract-crds"


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace of these tests' own."""
    cluster = cluster_with_crds()
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.apply(document)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)
def test_the_api_server_has_no_complaint(kind: type[Resource]) -> None:
    """Names are accepted, the schema is structural, and status is a subresource."""
    document = cluster_with_crds().get("crd", f"{kind.plural}.{names.GROUP}")
    conditions = {c["type"]: c["status"] for c in document["status"]["conditions"]}
    assert conditions["NamesAccepted"] == "True"
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    version = document["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}


@pytest.mark.requirement("CRDs: category quorate, short names")
def test_every_kind_is_in_the_category() -> None:
    """``kubectl get quorate`` lists all four kinds, and each short name finds its kind."""
    cluster = cluster_with_crds()
    listed = cluster.kubectl("api-resources", "--categories=quorate", "-o", "name").split()
    assert sorted(listed) == sorted(f"{kind.plural}.{names.GROUP}" for kind in KINDS)
    for kind in KINDS:
        shown = cluster.kubectl("explain", kind.short_names[0])
        assert f"KIND:       {kind.kind_name}\n" in shown


@pytest.mark.requirement("CRDs: every field described")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)
def test_explain_describes_every_field(kind: type[Resource]) -> None:
    """``kubectl explain --recursive`` knows each field; none is described as empty."""
    for part in ("spec", "status"):
        shown = cluster_with_crds().kubectl("explain", f"{kind.plural}.{part}")
        assert "<empty>" not in shown
        assert "DESCRIPTION:" in shown


def _incident(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "SafetyIncident",
        "metadata": {"name": "written-once", "namespace": NAMESPACE},
        "spec": {
            "severity": "High",
            "rule": "Sample",
            "summary": "something happened",
            "subject": {"kind": "Pod", "name": "p"},
            "evidence": ["sha256:" + "a" * 64],
            "approvals": [{"approver": "a", "time": "2026-01-02T03:04:05Z", "reason": "looked"}],
            **spec,
        },
    }


FROZEN = {
    "severity": "Low",
    "rule": "Other",
    "summary": "something else",
    "subject": {"kind": "Pod", "name": "other"},
    "evidence": ["sha256:" + "b" * 64],
    "runbookUrl": "https://example.com/runbook",
    "approvals": [],
}


@pytest.mark.requirement("SafetyIncident: written once; approvals are only added")
def test_an_incident_is_written_once(namespace: str) -> None:
    """Each field keeps its value; approvals can be added, and the resolution set and corrected."""
    cluster = cluster_with_crds()
    original = _incident()
    cluster.apply(original)
    for field, value in FROZEN.items():
        changed = copy.deepcopy(original)
        changed["spec"][field] = value
        with pytest.raises(CommandFailed) as caught:
            cluster.kubectl("replace", "-f", "-", stdin=json.dumps(changed))
        assert f"{field} must not" in caught.value.output
    more = {"approver": "b", "time": "2026-01-03T03:04:05Z", "reason": "agreed"}
    settled = _incident(
        approvals=[*original["spec"]["approvals"], more],
        resolution={"outcome": "Fixed", "message": "replaced", "time": "2026-01-03T04:00:00Z"},
    )
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps(settled))
    settled["spec"]["resolution"]["outcome"] = "AcceptedRisk"
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps(settled))


@pytest.mark.requirement("CRDs: printer columns")
def test_columns_read_the_conditions(namespace: str) -> None:
    """``kubectl get`` shows Ready, its reason and whether the signature verified."""
    cluster = cluster_with_crds()
    model = {
        "apiVersion": names.API_VERSION,
        "kind": "AttestedModel",
        "metadata": {"name": "shown", "namespace": namespace},
        "spec": {
            "version": "7",
            "manifestDigest": "sha256:" + "a" * 64,
            "source": {"persistentVolumeClaim": {"claimName": "weights"}},
        },
    }
    cluster.apply(model)
    common = {"lastTransitionTime": "2026-01-02T03:04:05Z", "message": "m"}
    conditions = [
        {"type": "Ready", "status": "False", "reason": "GateMissing", **common},
        {"type": "Signed", "status": "True", "reason": "Verified", **common},
    ]
    patch = json.dumps({"status": {"conditions": conditions}})
    cluster.kubectl(
        *("patch", "amodel", "shown", "-n", namespace, "--subresource=status"),
        *("--type=merge", "-p", patch),
    )
    header, row = cluster.kubectl("get", "amodel", "shown", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "VERIFIED", "VERSION", "AGE"]
    assert row.split()[:5] == ["shown", "False", "GateMissing", "True", "7"]
    by_field = cluster.get(
        "amodel", "-n", namespace, f"--field-selector=spec.manifestDigest=sha256:{'a' * 64}"
    )
    assert [item["metadata"]["name"] for item in by_field["items"]] == ["shown"]
