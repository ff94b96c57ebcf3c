"""Quotas and limits of a tenant's namespace: ours are counted like anybody's, and changed by none.

What is injected asks for fixed amounts, so a quota or limit that leaves no room for them refuses
the pod in its own words.
"""

from typing import Any

import pytest

from quorate.admission.injection import containers
from tests.e2e.installation import injection
from tests.e2e.tenant import Document, Tenant
from tools.demo.cluster import Cluster

SERVER = {"cpu": "20m", "memory": "64Mi"}


def injected(cluster: Cluster) -> tuple[Document, Document]:
    """The two containers, as this installation injects them."""
    return containers(injection(cluster), "model")


def guaranteed(spec: dict[str, Any]) -> None:
    """Give the server requests that equal its limits."""
    spec["containers"][0]["resources"] = {"requests": SERVER, "limits": SERVER}


def millicores(text: str) -> int:
    """A CPU quantity in thousandths of a core."""
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def mebibytes(text: str) -> int:
    """A memory quantity in MiB; ValueError for another unit."""
    return int(text.removesuffix("Mi"))


def pod_amounts(cluster: Cluster) -> dict[str, str]:
    """What one pod needs in all, as the scheduler and quotas count: measuring comes first, and the
    sidecar stays beside the server."""
    measure, sidecar = (c["resources"]["requests"] for c in injected(cluster))
    cpu, memory = (
        max(parse(measure[name]), parse(sidecar[name]) + parse(SERVER[name]))
        for name, parse in (("cpu", millicores), ("memory", mebibytes))
    )
    return {
        f"{kind}.{name}": amount
        for kind in ("requests", "limits")
        for name, amount in (("cpu", f"{cpu}m"), ("memory", f"{memory}Mi"))
    }


def quota(tenant: Tenant, hard: dict[str, str]) -> Document:
    """A ResourceQuota of the tenant's namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "compute", "namespace": tenant.namespace},
        "spec": {"hard": hard},
    }


def limit_range(tenant: Tenant, **limits: dict[str, str]) -> Document:
    """A LimitRange for containers of the tenant's namespace."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "limits", "namespace": tenant.namespace},
        "spec": {"limits": [{"type": "Container", **limits}]},
    }


@pytest.mark.whole
@pytest.mark.requirement("ResourceQuota and LimitRange respected")
def test_quota_counts_what_is_injected(tenant: Tenant) -> None:
    """A quota with room for model and injection lets one pod run; beyond it the quota speaks."""
    amounts = pod_amounts(tenant.cluster)
    tenant.cluster.apply(tenant.attested(), quota(tenant, amounts))
    tenant.certified()
    tenant.cluster.apply(tenant.pod("demo", change=guaranteed))
    tenant.running("demo")
    used = tenant.get("resourcequota", "compute")["status"]["used"]
    assert used == amounts
    said = tenant.refused(tenant.pod("second", change=guaranteed))
    assert "exceeded quota: compute" in said
    for name, amount in amounts.items():
        assert f"{name}={amount}" in said


@pytest.mark.requirement("ResourceQuota and LimitRange respected")
def test_quota_without_room_for_the_injected(tenant: Tenant) -> None:
    """A quota that would do for the server alone refuses, and says what the whole pod asked for."""
    enough = {"requests.cpu": "100m", "requests.memory": "128Mi"}
    tenant.cluster.apply(tenant.attested(), quota(tenant, enough))
    tenant.certified()
    said = tenant.refused(tenant.pod("demo", change=guaranteed))
    amounts = pod_amounts(tenant.cluster)
    assert "exceeded quota: compute" in said
    assert f"requested: requests.cpu={amounts['requests.cpu']}" in said
    assert f"requests.memory={amounts['requests.memory']}" in said
    assert "limited: requests.cpu=100m,requests.memory=128Mi" in said
    assert tenant.get("pods")["items"] == []


@pytest.mark.requirement("byte-equal injection; Guaranteed QoS kept; LimitRange respected")
def test_injection_survives_defaults(tenant: Tenant) -> None:
    """A LimitRange's defaults do not change the injected containers; a Guaranteed pod stays one."""
    amounts = {"cpu": "77m", "memory": "77Mi"}
    limits = limit_range(tenant, default=amounts, defaultRequest=amounts)
    tenant.cluster.apply(limits, tenant.attested())
    tenant.certified()
    tenant.cluster.apply(tenant.pod("demo", change=guaranteed))

    def bare(spec: dict[str, Any]) -> None:
        del spec["containers"][0]["resources"]

    tenant.cluster.apply(tenant.pod("defaulted", change=bare))
    pod = tenant.running("demo")
    assert pod["status"]["qosClass"] == "Guaranteed"
    defaulted = tenant.running("defaulted")
    assert defaulted["spec"]["containers"][0]["resources"]["limits"] == amounts
    for found in (pod, defaulted):
        assert tuple(found["spec"]["initContainers"]) == injected(tenant.cluster)


@pytest.mark.whole
@pytest.mark.requirement("ResourceQuota and LimitRange respected")
def test_limits_that_exclude_the_injected(tenant: Tenant) -> None:
    """A LimitRange whose bounds leave out what we inject refuses, and names bound and amount."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    measure, _ = (container["resources"]["limits"] for container in injected(tenant.cluster))
    cases = {
        f"maximum cpu usage per Container is 100m, but limit is {measure['cpu']}": {
            "max": {"cpu": "100m"},
        },
        f"minimum memory usage per Container is 1Gi, but request is {measure['memory']}": {
            "min": {"memory": "1Gi"},
        },
    }
    for reason, bounds in cases.items():
        tenant.cluster.apply(limit_range(tenant, **bounds))
        assert reason in tenant.refused(tenant.pod("demo", change=guaranteed))
    tenant.kubectl("delete", "limitrange", "limits")
    tenant.cluster.apply(tenant.pod("demo", change=guaranteed))
    tenant.running("demo")
