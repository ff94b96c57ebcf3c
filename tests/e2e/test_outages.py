"""Parts of the installation go away. Nothing opens, and nothing that was allowed stops too soon."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.client import Answer, Client
from tests.e2e.conftest import STATE_SECONDS
from tests.e2e.installation import MEMBERS, SYSTEM, scaled_to_zero, workloads
from tests.e2e.tenant import PORT, Tenant, condition, eventually
from tests.e2e.test_serving import host
from tests.e2e.traffic import Traffic
from tools.demo.cluster import ROOT, CommandFailed
from tools.demo.members import ROLLOUT_SECONDS, wait_for_members


@contextmanager
def component_stopped(component: str) -> Iterator[None]:
    """Without a component of the cluster itself, for a while."""
    tool = [sys.executable, "-m", "tools.cluster"]
    subprocess.run([*tool, "stop", component], cwd=ROOT, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*tool, "start", component], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.requirement(
    "webhook scaled to 0 → AI pod denied, ordinary namespace unaffected, a Job completes"
)
@pytest.mark.bypass("E19")
def test_webhook_away(tenant: Tenant) -> None:
    """Without webhook no pod enters the enforced namespace; elsewhere pods start and finish."""
    tenant.serve()
    with scaled_to_zero(tenant.cluster, "quorate-webhook"):
        said = tenant.refused(tenant.pod("late"))
        assert "webhook" in said or "quorate" in said
        plain = tenant.pod("plain")
        plain["metadata"]["namespace"] = "default"
        plain["spec"]["containers"][0]["command"] = ["python3", "-c", "print('done')"]
        plain["spec"]["restartPolicy"] = "Never"
        tenant.cluster.apply(plain)

        def finished() -> bool:
            return bool(
                tenant.cluster.get("pod", "plain", "-n", "default")["status"]["phase"]
                == "Succeeded"
            )

        eventually(finished, "an ordinary pod runs to its end")
        tenant.cluster.kubectl("delete", "pod", "plain", "-n", "default")
        tenant.kubectl("annotate", "pod", "demo", "note=harmless")
        tenant.kubectl("delete", "pod", "demo", "--wait=true")


@pytest.mark.requirement("our configurations deleted → the floor denies")
@pytest.mark.bypass("E20")
def test_configurations_deleted(tenant: Tenant) -> None:
    """With both webhook configurations gone, the API server itself refuses the pod."""
    tenant.cluster.apply(tenant.attested())
    kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
    saved = [tenant.cluster.get(kind, "quorate") for kind in kinds]
    for document in saved:
        for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
            document["metadata"].pop(field, None)
    try:
        for kind in kinds:
            tenant.cluster.kubectl("delete", kind, "quorate")

        def floor_speaks() -> bool:
            return "quorate-floor" in tenant.refused(tenant.pod("unseen"))

        eventually(floor_speaks, "the floor denies", seconds=20)
    finally:
        for document in saved:
            tenant.cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))


@pytest.mark.whole
@pytest.mark.requirement(
    "operator or member restart and rotation under traffic → no failed request"
)
def test_restarts_under_traffic(tenant: Tenant, client: Client) -> None:
    """Operator, webhook and all members are replaced while requests flow; none fails."""
    tenant.serve()
    traffic = Traffic(client, host(tenant), 80, ROLLOUT_SECONDS)
    deployments = ("quorate-operator", "quorate-webhook")
    for workload in workloads(tenant.cluster, *deployments, MEMBERS):
        tenant.cluster.kubectl("rollout", "restart", workload, *SYSTEM)
    for name in deployments:
        wait = ("rollout", "status", f"deployment/{name}", "--timeout=120s")
        tenant.cluster.kubectl(*wait, *SYSTEM, timeout=150)
    wait_for_members(tenant.cluster, ROLLOUT_SECONDS - 60)
    failed = [outcome for outcome in traffic.stop() if outcome[1] != 200]
    assert failed == []


@pytest.mark.whole
@pytest.mark.requirement(
    "API server, operator, webhook and member all away for 0.4 of the hard expiry → no failed "
    "request, beyond it → DENY with reason"
)
def test_control_plane_away(tenant: Tenant, client: Client) -> None:
    """Requests are answered for at least 0.4 of the hard expiry, and refused after all of it."""
    tenant.serve()
    # To the pod itself: once the state has lapsed the pod is unready, and the Service is empty.
    address = tenant.get("pod", "demo")["status"]["podIP"]
    traffic = Traffic(client, address, PORT, STATE_SECONDS * 1.3 + 25)
    with scaled_to_zero(tenant.cluster, "quorate-operator", MEMBERS, "quorate-webhook"):
        stopped = time.time()
        with component_stopped("kube-apiserver"):
            time.sleep(max(0.0, stopped + STATE_SECONDS * 0.5 - time.time()))
        time.sleep(max(0.0, stopped + STATE_SECONDS * 1.2 - time.time()))
    outcomes = traffic.finish()
    early = [o for o in outcomes if o[0] < stopped + STATE_SECONDS * 0.4 and o[1] != 200]
    assert early == []
    window = (stopped + STATE_SECONDS * 1.05, stopped + STATE_SECONDS * 1.2)
    late = [o for o in outcomes if window[0] < o[0] < window[1]]
    assert late
    assert [o for o in late if o[1] == 200] == []
    assert any("State" in o[2] or "Certificate" in o[2] for o in late), late[:3]

    def again() -> Answer | None:
        try:
            answer = client.chat(host(tenant), "echo:back")
        except CommandFailed:
            return None
        return answer if answer.status == 200 else None

    eventually(again, "it serves again once the control plane is back", seconds=90)
    assert condition(tenant.get("pod", "demo"), "Ready") == "True"
