"""Uninstalling leaves nothing stuck, and a second installation works. Runs last, by its name."""

import pytest

from tests.e2e.tenant import Tenant, eventually
from tools.demo import chart

OURS = (
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "clusterroles",
    "clusterrolebindings",
)


@pytest.mark.requirement("uninstall leaves nothing stuck; a second helm install works")
def test_uninstall_and_install_again(tenant: Tenant) -> None:
    """With the operator already dead, everything goes; namespaces end; the next install serves."""
    tenant.serve()
    tenant.cluster.kubectl(
        "scale", "deployment/quorate-operator", "--replicas=0", "-n", "quorate-system"
    )
    chart.uninstall(tenant.cluster)
    left = [
        f"{kind}/{item['metadata']['name']}"
        for kind in OURS
        for item in tenant.cluster.get(kind)["items"]
        if item["metadata"]["name"].startswith("quorate")
    ]
    assert left == []
    tenant.cluster.kubectl("delete", "namespace", tenant.namespace, "--timeout=90s", timeout=100)
    tenant.cluster.kubectl("delete", "namespace", "quorate-system", "--timeout=90s", timeout=100)
    chart.install(tenant.cluster)
    tenant.create()
    # The API server's floor reads the new genesis a moment after the installation is whole; until
    # then it refuses, as it must.
    tenant.cluster.apply(tenant.attested("again"))
    tenant.certified("again")
    eventually(lambda: tenant.cluster.apply(tenant.pod("again", model="again")), "it is admitted")
    tenant.running("again")
