"""A model on a claim that others may write: served while it is as certified, and no longer."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from quorate.verdict import Reason
from quorate_io.measuring import measure_directory
from tests.e2e.client import Client
from tests.e2e.tenant import PORT, Tenant, condition, eventually
from tests.e2e.test_measured import incident
from tools.demo.cluster import status

Document = dict[str, Any]
CLAIM = "weights"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory of the node, which the claim is bound to; this process is the other writer.

    The local provider's nodes share all of this machine's directories but /var and /run.
    """
    if status().get("provider") == "kind":
        pytest.skip("the nodes' directories are inside containers")
    folder = Path(tempfile.mkdtemp(prefix="quorate-e2e-"))
    folder.chmod(0o755)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(os.urandom(1_000_000))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def volume(tenant: Tenant, folder: Path) -> Document:
    """A volume that many may write."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": tenant.namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": tenant.namespace, "name": CLAIM},
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }


def claim(tenant: Tenant) -> Document:
    """The tenant's claim on it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": tenant.namespace},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": tenant.namespace,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def on_claim(spec: Document) -> None:
    """The model's volume is the claim, which the pod does not even ask to be read-only."""
    spec["volumes"][0] = {"name": "model", "persistentVolumeClaim": {"claimName": CLAIM}}


def bound(tenant: Tenant) -> bool:
    """Whether the claim has its volume."""
    return bool(tenant.get("pvc", CLAIM)["status"].get("phase") == "Bound")


@pytest.mark.requirement(
    "re-measure after start acts: a read-write PVC changed while served → unready, deny, incident"
)
def test_a_claim_changed_while_it_is_served(tenant: Tenant, client: Client, shared: Path) -> None:
    """Refused until the platform allows such claims; then served; then written by another: the
    sidecar denies with the file's name, is unready, and the operator opens an incident."""
    manifest = measure_directory(shared, workers=1, progress=lambda done, total: None)
    tenant.cluster.apply(volume(tenant, shared), claim(tenant))
    eventually(partial(bound, tenant), "the claim is bound")
    model = tenant.attested(files=manifest)
    model["spec"]["source"] = {"persistentVolumeClaim": {"claimName": CLAIM}}
    tenant.cluster.apply(model)
    pod = tenant.pod("demo", change=on_claim)
    assert Reason.MODEL_MOUNT_WRITABLE in tenant.refused(pod)
    try:
        tenant.cluster.apply(tenant.policy(sources=["Image", "ReadWriteClaim"]))
        tenant.certified()
        eventually(
            lambda: tenant.kubectl("apply", "-f", "-", stdin=json.dumps(pod)), "it is admitted"
        )
        address = f"{tenant.running('demo')['status']['podIP']}:{PORT}"
        assert client.chat(address, "echo:hello").status == 200
        (shared / "model.safetensors").write_bytes(os.urandom(1_000_000))
        changed = time.monotonic()
        answer = eventually(
            lambda: (found := client.chat(address, "echo:hello")).status == 503 and found, "denied"
        )
        # A look every 2 s, with jitter, and a client that is started for each question.
        assert time.monotonic() - changed < 30
        assert "written: model.safetensors" in answer.body
        eventually(
            lambda: condition(tenant.get("pod", "demo"), "Ready") == "False", "the pod is unready"
        )
        summary = eventually(partial(incident, tenant, "demo"), "an incident")
        assert "written: model.safetensors" in summary
    finally:
        tenant.cluster.kubectl("delete", "pv", tenant.namespace, "--wait=false")
