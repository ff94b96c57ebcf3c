"""A server that opens a second door some time after it started: the pod does not stay.

Prints the window: from the moment the listener is open until the pod is unready, and deleted.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from quorate import names
from quorate_operator.effects.removal import PER_OWNER
from tests.e2e.tenant import PORT, Tenant, condition, eventually
from tools.demo.cluster import ROOT

Document = dict[str, Any]
OPENED_AFTER = "10"
ARGS = ("--host", "127.0.0.1", "--port", str(PORT), "--also", "0.0.0.0:9000")
FIELDS = (
    '{.metadata.uid} {.status.conditions[?(@.type=="Ready")].status} '
    '{.metadata.deletionTimestamp}{"\\n"}'
)
WINDOW_MAX = 20.0
"""Seconds that nobody may need, on the slowest machine."""


class Sight:
    """When each pod, by UID, was first seen Ready, unready after that, and being deleted."""

    def __init__(self) -> None:
        self.ready: dict[str, float] = {}
        self.unready: dict[str, float] = {}
        self.deleted: dict[str, float] = {}

    def take(self, line: str) -> None:
        """Read one line of the watch."""
        uid, _, rest = line.partition(" ")
        ready, _, deleted = rest.partition(" ")
        now = time.time()
        if deleted.strip():
            self.deleted.setdefault(uid, now)
        if ready == "True":
            self.ready.setdefault(uid, now)
        elif uid in self.ready:
            self.unready.setdefault(uid, now)


@contextmanager
def lines_of(tenant: Tenant, *arguments: str) -> Iterator[Any]:
    """What a kubectl command that goes on prints, line by line."""
    with subprocess.Popen(
        [tenant.cluster.kubectl_path, "-n", tenant.namespace, *arguments],
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": tenant.cluster.kubeconfig},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process.stdout
        finally:
            process.terminate()


@contextmanager
def watched(tenant: Tenant) -> Iterator[Sight]:
    """What happens to the pods while the block runs."""
    sight = Sight()
    with lines_of(tenant, "get", "pods", "-w", "-o", f"jsonpath={FIELDS}") as lines:

        def read() -> None:
            for line in lines:
                sight.take(line)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        yield sight
    thread.join(10)


def opened_at(tenant: Tenant, pod: str) -> float:
    """Wait for the server to say when its second listener was open."""
    with lines_of(tenant, "logs", "-f", pod, "-c", "server") as lines:
        for line in lines:
            said = json.loads(line)
            if "opened" in said:
                return float(said["time"])
    raise AssertionError("the server opened no second listener")


def incidents(tenant: Tenant) -> list[Document]:
    """The incidents of foreign listeners, oldest first."""
    found = tenant.get("safetyincidents")["items"]
    listeners = [i for i in found if i["spec"]["rule"] == "ForeignListener"]
    return sorted(listeners, key=lambda i: str(i["metadata"]["creationTimestamp"]))


def acted(tenant: Tenant, action: str) -> list[Document]:
    """Incidents whose status says that this was done."""
    return [
        incident
        for incident in incidents(tenant)
        if action in {a["name"] for a in incident.get("status", {}).get("actions", [])}
    ]


def pods(tenant: Tenant) -> list[Document]:
    """The pods that are not being deleted."""
    found = tenant.get("pods", "-l", "app=leaky")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def leaky(tenant: Tenant) -> Document:
    """A Deployment of a certified model whose server opens another port after a while."""
    deployment = tenant.workload("Deployment", "leaky", replicas=1)
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    server["args"] = [*ARGS, "--also-after", OPENED_AFTER]
    return deployment


@pytest.mark.whole
@pytest.mark.requirement(
    "a foreign non-loopback listener → unready, incident, the operator deletes the pod"
)
def test_a_pod_that_opens_another_door_is_deleted(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    """Incident with pod and owners, Event, deletion, a new pod through admission; and in the end,
    when every new pod does the same, one that stays unready."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    with watched(tenant) as sight:
        tenant.cluster.apply(leaky(tenant))
        (first,) = eventually(lambda: pods(tenant), "the Deployment has a pod")
        name, uid = first["metadata"]["name"], first["metadata"]["uid"]
        tenant.running(name)
        opened = opened_at(tenant, name)
        eventually(lambda: uid in sight.deleted, "the pod is deleted", seconds=60, pause=0.05)
        (incident,) = eventually(lambda: acted(tenant, "PodDeleted"), "it is written down")
        spec = incident["spec"]
        assert (spec["rule"], spec["severity"]) == ("ForeignListener", "Critical")
        assert spec["subject"] == {"kind": "Pod", "name": name, "uid": uid}
        assert spec["owners"]["safety"]["contact"]
        assert "0.0.0.0:9000" in spec["summary"]
        (action,) = incident["status"]["actions"]
        assert action["actor"] == names.OPERATOR_USER
        said = tenant.kubectl("events", "--for", f"pod/{name}")
        assert "PodDeleted" in said
        about = f"safetyincident/{incident['metadata']['name']}"
        assert "ForeignListener" in tenant.kubectl("events", "--for", about)

        def replaced() -> Document | None:
            return next((pod for pod in pods(tenant) if pod["metadata"]["uid"] != uid), None)

        second = eventually(replaced, "the Deployment has another pod")
        injected = [c["name"] for c in second["spec"]["initContainers"]]
        assert injected == [names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER]
        tenant.running(second["metadata"]["name"])
        unready, deleted = sight.unready[uid] - opened, sight.deleted[uid] - opened
        with capsys.disabled():
            said = f"listener open → pod unready {unready:.1f} s, → deleted {deleted:.1f} s"
            sys.stdout.write(f"\n{said}\n")
        assert 0 < max(unready, deleted) < WINDOW_MAX

        (last,) = eventually(
            lambda: acted(tenant, "PodLeftUnready"), "the last one is left", seconds=240
        )
        assert len(acted(tenant, "PodDeleted")) == PER_OWNER
        (left,) = pods(tenant)
        assert left["metadata"]["uid"] == last["spec"]["subject"]["uid"]
        eventually(
            lambda: condition(tenant.get("pod", left["metadata"]["name"]), "Ready") == "False",
            "the pod that stays is unready",
        )
