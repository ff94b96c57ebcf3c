"""Parts of the installation, taken away for a while."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from quorate.admission.injection import InjectionConfig, parse_config
from tests.e2e.tenant import eventually
from tools.demo import chart
from tools.demo.cluster import Cluster, running_cluster

SYSTEM = ("-n", chart.NAMESPACE)


def injection(cluster: Cluster) -> InjectionConfig:
    """What this installation injects."""
    stored = cluster.get("configmap", "quorate-injection", *SYSTEM)["data"]["injection.json"]
    digest = cluster.get("configmap", "quorate-genesis", *SYSTEM)["data"]["digest"].strip()
    return parse_config(json.loads(stored) | {"genesisDigest": digest})


def scale(cluster: Cluster, deployment: str, replicas: int) -> None:
    """Scale a part of the installation and wait until it is so."""
    cluster.kubectl("scale", f"deployment/{deployment}", f"--replicas={replicas}", *SYSTEM)

    component = deployment.removeprefix("quorate-")
    selector = f"app.kubernetes.io/component={component}"

    def done() -> bool:
        status = cluster.get("deployment", deployment, *SYSTEM).get("status", {})
        # A webhook that drains still answers on open connections: wait until it is gone.
        present = len(cluster.get("pods", "-l", selector, *SYSTEM)["items"])
        return (present, status.get("readyReplicas", 0)) == (replicas, replicas)

    eventually(done, f"{deployment} has {replicas} replicas", seconds=150)


@cache
def installed_once(values: tuple[tuple[str, str], ...]) -> Cluster:
    """The running cluster, with the chart installed once a run with these values."""
    running = running_cluster()
    chart.install(running, values=dict(values))
    return running


@contextmanager
def scaled_to_zero(cluster: Cluster, *deployments: str) -> Iterator[None]:
    """Without these parts, for a while."""
    replicas = {d: cluster.get("deployment", d, *SYSTEM)["spec"]["replicas"] for d in deployments}
    try:
        for deployment in deployments:
            scale(cluster, deployment, 0)
        yield
    finally:
        for deployment, count in replicas.items():
            scale(cluster, deployment, count)
