"""Audit records on a claim: they outlive the pod, and nobody else in the namespace writes them."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import VALUES
from tests.e2e.installation import SYSTEM
from tests.e2e.tenant import Tenant, eventually
from tests.e2e.test_serving import PLANTED, host
from tools.demo import chart
from tools.demo.cluster import Cluster, CommandFailed, images

Document = dict[str, Any]
CLAIM = "records"
EVENTS = ("get", "events", "--field-selector", "involvedObject.name=demo", "-o", "json")

# Runs in a pod without a model: every file under /records, and what a writer is told there.
_COLLECT = """
import base64, json, pathlib
root = pathlib.Path("/records")
files = {str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file()}
try:
    next(iter(files.values())).open("ab")
    said = "may write"
except OSError as error:
    said = error.strerror
print(json.dumps([said, {n: base64.b64encode(p.read_bytes()).decode() for n, p in files.items()}]))
"""


@pytest.fixture(scope="module", autouse=True)
def records_on_a_claim(cluster: Cluster) -> Iterator[None]:
    """The installation keeps audit records on a claim while these tests run."""
    chart.install(cluster, values=VALUES | {"injection.audit.persistentVolumeClaim": CLAIM})
    yield
    chart.install(cluster, values=VALUES)
    eventually(partial(settled, cluster), "webhooks that inject the claim are gone")


def settled(cluster: Cluster) -> bool:
    """Whether no part of the installation before is left."""
    pods = cluster.get("pods", *SYSTEM)["items"]
    return all("deletionTimestamp" not in pod["metadata"] for pod in pods)


def claim() -> Document:
    """What an enforced namespace provides."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "256Mi"}},
        },
    }


def provide(tenant: Tenant) -> None:
    """Claim, model, and a policy that exempts the collector's image."""
    policy = tenant.policy()
    digest = images()["client"]["digest"]
    policy["spec"]["exemptImages"] = [{"digest": digest, "reason": "collects audit records"}]
    tenant.kubectl("apply", "-f", "-", stdin=json.dumps(claim()))
    tenant.cluster.apply(policy, tenant.attested())
    tenant.certified()


def collector(tenant: Tenant, *, read_only: bool) -> Document:
    """A pod of an exempt image that mounts the claim."""
    source = {"claimName": CLAIM} | ({"readOnly": True} if read_only else {})
    pod = tenant.pod("collector")
    del pod["metadata"]["labels"]["quorate.dev/model"]
    container = tenant.server_container() | {
        "image": images()["client"]["reference"],
        "command": ["python3", "-c", _COLLECT],
        "args": [],
        "volumeMounts": [{"name": "records", "mountPath": "/records"}],
    }
    del container["readinessProbe"], container["ports"]
    pod["spec"] |= {
        "containers": [container],
        "restartPolicy": "Never",
        "volumes": [{"name": "records", "persistentVolumeClaim": source}],
    }
    return pod


def created(tenant: Tenant, pod: Document) -> None:
    """Create the pod; the API server may take a moment until it holds the upgraded floor."""

    def attempt() -> bool:
        try:
            tenant.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        except CommandFailed as error:
            if "InjectionDiffers" in error.output or "VolumeNotAllowed" in error.output:
                return False
            raise
        return True

    eventually(attempt, "the upgraded floor is in force", seconds=30)


def verify(path: Path) -> subprocess.CompletedProcess[str]:
    """``quorate audit verify FILE``."""
    command = [sys.executable, "-m", "quorate_cli", "audit", "verify", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.requirement("audit on a claim: records outlive the pod; audit verify checks the file")
def test_records_outlive_the_pod(tenant: Tenant, client: Client, tmp_path: Path) -> None:
    """A request is answered, another refused; the pod goes; the file is on the claim, verifies,
    and does not with one byte changed. Who collects it cannot write."""
    provide(tenant)
    created(tenant, tenant.pod("demo"))
    tenant.cluster.apply(tenant.service("demo"))
    uid = tenant.running("demo")["metadata"]["uid"]
    assert client.chat(host(tenant), "echo:to be kept").text == "to be kept"
    assert client.chat(host(tenant), f"echo:{PLANTED}").status == 403
    tenant.kubectl("delete", "pod", "demo", "--wait=true", timeout=90)
    created(tenant, collector(tenant, read_only=True))
    tenant.kubectl(
        *("wait", "pod/collector", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s")
    )
    said, files = json.loads(tenant.kubectl("logs", "collector"))
    assert said == "Read-only file system"
    assert list(files) == [f"{uid}/audit-00000000.jsonl"]
    content = base64.b64decode(files[f"{uid}/audit-00000000.jsonl"])
    bodies = [json.loads(line)["body"] for line in content.splitlines()]
    assert [body["kind"] for body in bodies[:2]] == ["head", "receipt"]
    requests = [body for body in bodies[2:] if body["kind"] != "receipt"]
    assert [body["kind"] for body in requests] == ["open", "close", "deny"]
    assert (bodies[0]["podUid"], requests[1]["outcome"]) == (uid, "released")
    file = tmp_path / "audit.jsonl"
    file.write_bytes(content)
    done = verify(file)
    assert done.returncode == 0, done.stderr
    assert f"intact: {len(bodies)} records" in done.stdout
    at = content.index(b"echo" if b"echo" in content else b"released")
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    done = verify(file)
    assert done.returncode == 1
    assert "DENIED" in done.stdout


@pytest.mark.requirement("audit on a claim: no container but the sidecar reaches it")
def test_nobody_else_writes_to_the_claim(tenant: Tenant) -> None:
    """Not the model's own container, read-only or not, and no exempt pod unless it only reads."""
    provide(tenant)
    created(tenant, tenant.pod("ready", change=lambda spec: spec.update(schedulingGates=[GATE])))
    for read_only in (False, True):

        def mount(spec: Document, read_only: bool = read_only) -> None:
            source = {"claimName": CLAIM, "readOnly": read_only}
            spec["volumes"].append({"name": "more", "persistentVolumeClaim": source})
            mounts = spec["containers"][0]["volumeMounts"]
            mounts.append({"name": "more", "mountPath": "/records"})

        assert "VolumeNotAllowed" in tenant.refused(tenant.pod("thief", change=mount))
    injected = {"name": "quorate-audit", "mountPath": "/records"}

    def same(spec: Document) -> None:
        spec["containers"][0]["volumeMounts"].append(injected)

    assert "ReservedName" in tenant.refused(tenant.pod("thief", change=same))
    assert "VolumeNotAllowed" in tenant.refused(collector(tenant, read_only=False))


GATE = {"name": "example.com/held"}
"""A pod that is created and not started: creating it shows that the upgraded floor is in force."""


@pytest.mark.requirement("audit on a claim: without the claim the pod waits, and an Event says why")
def test_a_missing_claim_is_named_by_an_event(tenant: Tenant) -> None:
    """The pod is admitted and released, and stays Pending with the scheduler's Event."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    created(tenant, tenant.pod("demo"))

    def said() -> list[str]:
        found = json.loads(tenant.kubectl(*EVENTS))["items"]
        return [event["message"] for event in found if f'"{CLAIM}" not found' in event["message"]]

    eventually(said, "an Event names the claim", seconds=60)
    assert tenant.get("pod", "demo")["status"]["phase"] == "Pending"
