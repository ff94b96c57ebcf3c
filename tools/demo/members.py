"""The committee's members as the cluster runs them, and when an upgrade has reached all of them.

Helm changes their StatefulSets and no more: the operator replaces the pods, one after the other.
"""

import time
from typing import Any

from quorate import names
from tools.demo.cluster import Cluster, CommandFailed

SYSTEM = ("-n", names.NAMESPACE)
LABEL = "app.kubernetes.io/component=member"
REVISION = "controller-revision-hash"
ROLLOUT_SECONDS = 300.0
"""For all members one after the other: each is deleted, starts, and hears of the cluster."""
LOOK_SECONDS = 1.0


def stateful_sets(cluster: Cluster) -> list[str]:
    """Names of the members' sets."""
    found = cluster.get("statefulsets", "-l", LABEL, *SYSTEM)["items"]
    return sorted(str(one["metadata"]["name"]) for one in found)


def wait_for_members(cluster: Cluster, seconds: float = ROLLOUT_SECONDS) -> None:
    """Until every member's pod is ready and as its set wants it; CommandFailed if it is not."""
    deadline = time.monotonic() + seconds
    while behind := _behind(cluster):
        if time.monotonic() > deadline:
            raise CommandFailed(["wait for members"], f"not after {seconds:g} s: {behind}")
        time.sleep(LOOK_SECONDS)


def _behind(cluster: Cluster) -> list[str]:
    """Members that are not what they should be, and what is wrong."""
    pods = {
        pod["metadata"]["labels"][names.MEMBER_LABEL]: pod
        for pod in cluster.get("pods", "-l", LABEL, *SYSTEM)["items"]
    }
    found = []
    for one in cluster.get("statefulsets", "-l", LABEL, *SYSTEM)["items"]:
        member = one["metadata"]["labels"][names.MEMBER_LABEL]
        if said := _wrong(one, pods.get(member)):
            found.append(f"{member}: {said}")
    return found or ([] if pods else ["there are none"])


def _wrong(one: dict[str, Any], pod: dict[str, Any] | None) -> str:
    status = one.get("status") or {}
    if status.get("observedGeneration") != one["metadata"]["generation"]:
        return "its set was not looked at yet"
    if pod is None or "deletionTimestamp" in pod["metadata"]:
        return "has no pod"
    if pod["metadata"]["labels"].get(REVISION) != status.get("updateRevision"):
        return "runs an older revision"
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions") or ()}
    return "" if conditions.get("Ready") == "True" else "is not ready"
