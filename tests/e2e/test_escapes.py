"""Pods that never met admission: found within 30 s, deleted, and replaced by what should be."""

import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from quorate import names
from tests.e2e.tenant import Tenant, eventually

Document = dict[str, Any]
FOUND_MAX = 30.0
"""Seconds within which such a pod must be found."""


def found(tenant: Tenant, uid: str) -> Document | None:
    """The incident about a pod."""
    incidents: list[Document] = tenant.get("safetyincidents")["items"]
    about = (i for i in incidents if i["spec"]["subject"].get("uid") == uid)
    return next((i for i in about if i["spec"]["rule"] == "PodEscaped"), None)


def pods(tenant: Tenant, app: str) -> list[Document]:
    """The pods of an app that are not being deleted."""
    items: list[Document] = tenant.get("pods", "-l", f"app={app}")["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def running(tenant: Tenant, app: str) -> Document | None:
    """The one pod of an app, once its containers run."""
    there = pods(tenant, app)
    return there[0] if there and there[0]["status"].get("phase") == "Running" else None


@pytest.mark.requirement("escape scan: found within 30 s → SafetyIncident, deletion")
def test_a_pod_that_ran_before_is_replaced_by_one_that_met_admission(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    """The namespace begins to enforce while a Deployment's pod runs without gate and sidecar. The
    right pod beside it, released by the operator, goes on."""
    tenant.serve()
    right = tenant.get("pod", "demo")["metadata"]["uid"]
    assert names.RELEASED_ANNOTATION in tenant.get("pod", "demo")["metadata"]["annotations"]
    mode = f"{names.MODE_LABEL}="
    tenant.cluster.kubectl("label", "namespace", tenant.namespace, f"{mode}warn", "--overwrite")
    tenant.cluster.apply(tenant.workload("Deployment", "early", replicas=1))
    early = eventually(lambda: running(tenant, "early"), "the pod without sidecar runs")
    assert "initContainers" not in early["spec"]
    uid, began = early["metadata"]["uid"], time.monotonic()
    tenant.cluster.kubectl("label", "namespace", tenant.namespace, f"{mode}enforce", "--overwrite")
    incident = eventually(lambda: found(tenant, uid), "it is found", seconds=60, pause=0.1)
    seconds = time.monotonic() - began

    def replaced() -> Document | None:
        return next((p for p in pods(tenant, "early") if p["metadata"]["uid"] != uid), None)

    other = eventually(replaced, "its controller made another", seconds=60, pause=0.1)
    made = time.monotonic() - began
    with capsys.disabled():
        what = "enforced → found"
        sys.stdout.write(f"\n{what} {seconds:.1f} s, → replaced {made:.1f} s\n")
    assert seconds < FOUND_MAX
    assert incident["spec"]["severity"] == "Critical"
    assert "before the namespace enforced" in incident["spec"]["summary"]
    injected = [c["name"] for c in other["spec"]["initContainers"]]
    assert injected == [names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER]
    acted = eventually(
        lambda: (found(tenant, uid) or {}).get("status", {}).get("actions"), "it is written down"
    )
    assert [action["name"] for action in acted] == ["PodDeleted"]
    took = datetime.fromisoformat(acted[0]["time"]).astimezone(UTC)
    assert took <= datetime.now(UTC)
    assert tenant.get("pod", "demo")["metadata"]["uid"] == right
    assert found(tenant, right) is None
