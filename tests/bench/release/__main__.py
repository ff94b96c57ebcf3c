"""``make bench ROOM=release``: how long a pod waits for its gate, evidence already certified.

Needs the cluster with the chart (``make up chart``). Pods are created at once, in one namespace;
the time of each runs from its creation to the event that shows it without the gate.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.report import Figure, publish
from tests.e2e.artifacts import build_models
from tests.e2e.tenant import Tenant
from tools.demo.cluster import images, running_cluster

WAIT_SECONDS = 120.0


def released(tenant: Tenant, pods: int) -> list[float]:
    """Create the pods in one call and watch them; seconds from creation to release, sorted."""
    cluster = tenant.cluster
    kubectl = (cluster.kubectl_path, "--kubeconfig", cluster.kubeconfig, "-n", tenant.namespace)
    watch = subprocess.Popen(
        [*kubectl, "get", "pods", "--watch", "-o", "json", "--output-watch-events"],
        stdout=subprocess.PIPE,
        text=True,
    )
    created: dict[str, float] = {}
    waits: dict[str, float] = {}
    documents = [tenant.pod(f"pod-{index}") for index in range(pods)]
    for document in documents:
        document["spec"]["nodeSelector"] = {"no-such-node": "true"}
    try:
        listing = {"apiVersion": "v1", "kind": "List", "items": documents}
        with subprocess.Popen(
            [*kubectl, "create", "-f", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(listing))
            process.stdin.close()
            _follow(watch, pods, created, waits)
        if process.returncode != 0:
            sys.exit("not every pod was created")
    finally:
        watch.terminate()
        watch.wait()
    return sorted(waits.values())


def _follow(
    watch: "subprocess.Popen[str]", pods: int, created: dict[str, float], waits: dict[str, float]
) -> None:
    assert watch.stdout is not None
    deadline = time.monotonic() + WAIT_SECONDS
    decoder, buffered = json.JSONDecoder(), ""
    while len(waits) < pods and time.monotonic() < deadline:
        buffered += watch.stdout.readline()
        try:
            event, end = decoder.raw_decode(buffered.lstrip())
        except ValueError:
            continue
        buffered = buffered.lstrip()[end:]
        pod, now = event["object"], time.monotonic()
        name = pod["metadata"]["name"]
        created.setdefault(name, now)
        if not pod["spec"].get("schedulingGates"):
            waits.setdefault(name, now - created[name])


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=100)
    pods = parser.parse_args().pods
    cluster = running_cluster()
    with tempfile.TemporaryDirectory() as scratch:
        models = build_models(Path(scratch))
    tenant = Tenant(cluster, f"bench-{os.getpid()}", models, images()["scripted"])
    tenant.create()
    try:
        cluster.apply(tenant.attested())
        tenant.certified()
        waits = released(tenant, pods)
    finally:
        tenant.remove()
    if len(waits) < pods:
        sys.exit(f"only {len(waits)} of {pods} pods were released in {WAIT_SECONDS:.0f} s")
    publish(
        "release",
        [
            Figure(f"create to release, {pods} pods, p50", waits[len(waits) // 2], "s"),
            Figure(
                f"create to release, {pods} pods, p95", waits[len(waits) * 95 // 100], "s", "<=2"
            ),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
