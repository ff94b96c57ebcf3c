"""Controllers: rollouts, scaling and Jobs work as they do without us."""

import json
import os
import signal

import pytest

from tests.e2e.client import Client
from tests.e2e.installation import scaled_to_zero
from tests.e2e.processes import processes
from tests.e2e.tenant import Tenant, eventually
from tests.e2e.test_serving import host

_UNTIL_TOLD = """
from signal import SIG_BLOCK, SIGUSR1, pthread_sigmask, sigwait
pthread_sigmask(SIG_BLOCK, {SIGUSR1})
sigwait({SIGUSR1})
"""


@pytest.mark.requirement("Deployment, StatefulSet, DaemonSet rollouts, scaling up and down")
def test_controllers_roll_out(tenant: Tenant, client: Client) -> None:
    """Each kind of controller comes up, changes, scales, and goes."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    tenant.cluster.apply(
        tenant.workload("Deployment", "deployment", replicas=1),
        tenant.workload("StatefulSet", "statefulset", replicas=1, serviceName="statefulset"),
        tenant.workload("DaemonSet", "daemonset"),
        tenant.service("deployment"),
    )
    workloads = ("deployment", "statefulset", "daemonset")
    for name in workloads:
        tenant.kubectl("rollout", "status", f"{name}/{name}", "--timeout=150s", timeout=170)
    assert client.chat(host(tenant, "deployment"), "echo:rolled out").text == "rolled out"
    tenant.kubectl("scale", "deployment/deployment", "--replicas=2")
    tenant.kubectl("rollout", "restart", "statefulset/statefulset")
    for name in workloads:
        tenant.kubectl("rollout", "status", f"{name}/{name}", "--timeout=150s", timeout=170)
    tenant.kubectl("scale", "deployment/deployment", "--replicas=0")

    def gone() -> bool:
        return not tenant.get("pods", "-l", "app=deployment")["items"]

    eventually(gone, "the scaled-down pods are gone")


@pytest.mark.requirement("a Job in the enforced namespace completes")
def test_job_completes(tenant: Tenant) -> None:
    """A Job whose image is exempt runs to its end although the webhook is scaled to 0 before it
    gets there; its finalizers come off."""
    floor = tenant.policy()
    image = tenant.server
    floor["spec"]["exemptImages"] = [{"digest": image["digest"], "reason": "a batch job"}]
    floor["spec"]["selector"] = {"matchLabels": {"batch": tenant.namespace}}
    floor["metadata"]["name"] = f"{tenant.namespace}-batch"
    tenant.cluster.apply(floor)
    job = tenant.workload("Job", "batch", backoffLimit=0)
    template = job["spec"]["template"]
    template["metadata"]["labels"] = {"batch": tenant.namespace}
    container = tenant.server_container()
    container |= {"command": ["python3", "-c", _UNTIL_TOLD], "args": []}
    del container["readinessProbe"], container["volumeMounts"]
    template["spec"] |= {"containers": [container], "volumes": [], "restartPolicy": "Never"}
    selected = ("-l", f"batch={tenant.namespace}")
    try:
        eventually(lambda: tenant.cluster.apply(job), "the exemption is known", seconds=20)
        tenant.kubectl("wait", "job/batch", "--for=jsonpath={.status.ready}=1", "--timeout=60s")
        (pod,) = tenant.get("pods", *selected)["items"]
        assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
        with scaled_to_zero(tenant.cluster, "quorate-webhook"):
            # No exec: nobody can be asked whether it may be, so it is refused.
            (waiting,) = processes(pod, "sigwait")
            os.kill(waiting, signal.SIGUSR1)
            tenant.kubectl("wait", "job/batch", "--for=condition=Complete", "--timeout=60s")
            pods = tenant.get("pods", *selected)["items"]
            assert [pod["metadata"].get("finalizers", []) for pod in pods] == [[]]
    finally:
        tenant.cluster.kubectl("delete", "clustersafetypolicy", f"{tenant.namespace}-batch")


@pytest.mark.requirement("dry run writes nothing")
def test_server_side_dry_run(tenant: Tenant) -> None:
    """A dry run is mutated, judged and forgotten."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    pod = tenant.pod("dry")
    shown = json.loads(
        tenant.kubectl(
            *("create", "--dry-run=server", "-o", "json", "-f", "-"), stdin=json.dumps(pod)
        )
    )
    assert shown["spec"]["schedulingGates"] == [{"name": "quorate.dev/verified"}]
    assert tenant.get("pods")["items"] == []
