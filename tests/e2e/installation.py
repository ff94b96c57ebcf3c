"""Parts of the installation, taken away for a while."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from quorate.admission.injection import InjectionConfig, parse_config, seated
from quorate.genesis import parse_genesis
from tests.e2e.tenant import eventually
from tools.demo import chart
from tools.demo.cluster import Cluster, running_cluster
from tools.demo.members import stateful_sets

SYSTEM = ("-n", chart.NAMESPACE)


MEMBERS = "members"
"""Stands for all members where a part of the installation is named."""


def injection(cluster: Cluster) -> InjectionConfig:
    """What this installation injects."""
    stored = cluster.get("configmap", "quorate-injection", *SYSTEM)["data"]["injection.json"]
    kept = cluster.get("configmap", "quorate-genesis", *SYSTEM)["data"]
    genesis = parse_genesis(kept["genesis.json"].encode(), kept["digest"].strip())
    document = json.loads(stored) | {"genesisDigest": genesis.digest_text}
    return seated(parse_config(document), genesis)


def workloads(cluster: Cluster, *parts: str) -> list[str]:
    """What runs these parts, as kubectl takes it: Deployments by name, or all MEMBERS."""
    found = []
    for part in parts:
        if part == MEMBERS:
            found += [f"statefulset/{name}" for name in stateful_sets(cluster)]
        else:
            found.append(f"deployment/{part}")
    return found


def replicas_of(cluster: Cluster, workload: str) -> tuple[int, int]:
    """How many pods are there, ready or not, and how many are ready."""
    document = cluster.get(workload, *SYSTEM)
    labels = document["spec"]["selector"]["matchLabels"].items()
    selector = ",".join(f"{key}={value}" for key, value in labels)
    # A webhook that drains still answers on open connections: wait until it is gone.
    present = len(cluster.get("pods", "-l", selector, *SYSTEM)["items"])
    return present, int(document.get("status", {}).get("readyReplicas") or 0)


def scale(cluster: Cluster, replicas: dict[str, int]) -> None:
    """Scale workloads of the installation and wait until all are so."""
    for workload, count in replicas.items():
        cluster.kubectl("scale", workload, f"--replicas={count}", *SYSTEM)
    for workload, count in replicas.items():

        def done(workload: str = workload, count: int = count) -> bool:
            return replicas_of(cluster, workload) == (count, count)

        eventually(done, f"{workload} has {count} replicas", seconds=150)


@cache
def installed_once(values: tuple[tuple[str, str], ...]) -> Cluster:
    """The running cluster, with the chart installed once a run with these values."""
    running = running_cluster()
    chart.install(running, values=dict(values))
    return running


@contextmanager
def scaled_to_zero(cluster: Cluster, *parts: str) -> Iterator[None]:
    """Without these parts, for a while."""
    found = workloads(cluster, *parts)
    replicas = {w: int(cluster.get(w, *SYSTEM)["spec"]["replicas"]) for w in found}
    try:
        for workload in found:
            scale(cluster, {workload: 0})
        yield
    finally:
        scale(cluster, replicas)
