"""What ``preview`` says of a namespace that only audits is what happens once it enforces."""

import json
from pathlib import Path
from typing import Any

import pytest

from quorate_cli.exit_codes import DENIED, OK
from tests.e2e.command_line import quorate
from tests.e2e.tenant import Tenant, condition, eventually

Document = dict[str, Any]
MODE = "quorate.dev/mode"


def pods_of(tenant: Tenant, app: str) -> list[Document]:
    """The pods of one workload that are not going away."""
    items: list[Document] = tenant.get("pods", "-l", f"app={app}")["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def injected(pod: Document) -> bool:
    """Whether the sidecar is in it."""
    return any(c["name"] == "quorate-sidecar" for c in pod["spec"].get("initContainers") or ())


@pytest.mark.requirement("a diff before switching audit → warn → enforce")
def test_audit_to_enforce_as_foretold(tenant: Tenant, tmp_path: Path) -> None:
    """The good workload is made again and serves, the bad one is refused with the reason that was
    given, the bare pod is gone; a draft, an inventory and a report tell the same."""
    tenant.kubectl("label", "namespace", tenant.namespace, f"{MODE}=audit", "--overwrite")
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    good, bad = (tenant.workload("Deployment", name, replicas=1) for name in ("good", "bad"))
    del bad["spec"]["template"]["metadata"]["labels"]["quorate.dev/model"]
    tenant.cluster.apply(good, bad, tenant.pod("alone"))
    eventually(lambda: all(pods_of(tenant, a) for a in ("good", "bad", "alone")), "pods exist")

    space = f"namespace/{tenant.namespace}"
    today = quorate(tenant.cluster, "preview", space)
    assert (today.code, today.document["denied"]) == (OK, 0), today
    told = quorate(tenant.cluster, "preview", space, "--mode", "enforce")
    rows = {row["workload"]: row for row in told.document["pods"]}
    assert {name: row["fate"] for name, row in rows.items()} == {
        "deployment/good": "Replaced",
        "deployment/bad": "Refused",
        "pod/alone": "Deleted",
    }
    assert (told.code, told.document["denied"], told.document["gaps"]) == (DENIED, 1, [])
    (reason,) = {refusal["reason"] for refusal in rows["deployment/bad"]["refusals"]}

    draft = tmp_path / "policy.json"
    draft.write_text(json.dumps(tenant.policy(gates=[])), encoding="utf-8")
    looser = quorate(tenant.cluster, "preview", "-f", str(draft), "-n", tenant.namespace)
    assert (looser.code, [m["allowed"] for m in looser.document["models"]]) == (OK, [True])
    listed = quorate(tenant.cluster, "inventory", "-n", tenant.namespace)
    fates = {row["workload"]: row["enforce"] for row in listed.document["servers"]}
    assert fates["deployment/good"] == "Replaced"
    report = quorate(tenant.cluster, "report", "-n", tenant.namespace)
    (only,) = report.document["items"]
    assert (only["kind"], only["summary"]["warn"]) == ("Report", 1)

    tenant.kubectl("label", "namespace", tenant.namespace, f"{MODE}=enforce", "--overwrite")
    tenant.kubectl("delete", "pods", "--all", "--wait=false")

    def admitted() -> bool:
        found = pods_of(tenant, "good")
        return bool(found) and all(injected(p) and condition(p, "Ready") == "True" for p in found)

    eventually(admitted, "the good workload's next pod is admitted and serves")

    def refused() -> bool:
        events = tenant.get("events", "--field-selector=reason=FailedCreate")["items"]
        return any(reason in event["message"] for event in events)

    eventually(refused, f"the bad workload's next pod is refused: {reason}")
    eventually(lambda: not pods_of(tenant, "bad") + pods_of(tenant, "alone"), "the others are gone")
    now = quorate(tenant.cluster, "explain", f"clustersafetypolicy/{tenant.namespace}")
    assert (now.code, {row["fate"] for row in now.document["pods"]}) == (OK, {"GoesOn"}), now
