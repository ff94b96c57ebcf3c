"""A pod's receipt on a real cluster: bound to its node and images, renewed, and then withheld."""

import re
import time

import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import RECEIPT_SECONDS
from tests.e2e.tenant import Tenant, condition, eventually
from tests.fakes.vouching import EXEMPT_DIGEST

_TAKEN = re.compile(r'quorate_sidecar_receipts_total\{outcome="taken"\} (\S+)')
MARGIN_SECONDS = 30
"""For the policy to reach the member, and for the kubelet to look."""


@pytest.mark.whole
@pytest.mark.requirement("pod receipts: renewed, and withheld from what is no longer named")
def test_a_receipt_is_renewed_and_then_withheld(tenant: Tenant, client: Client) -> None:
    """Tagged server images are pinned; a changed policy brings a new receipt, in which the images
    the kubelet reports count too; one that names another image ends the pod with its receipt."""
    server = {"name": "scripted", "digest": tenant.server["digest"], "kind": "other"}
    tag = tenant.server["reference"].partition("@")[0]
    tag = tag if ":" in tag.rpartition("/")[2] else f"{tag}:pinned"
    tenant.cluster.apply(tenant.policy(servers=[server | {"image": tag}]), tenant.attested())
    tenant.certified()
    pod = tenant.pod("demo")
    pod["spec"]["containers"][0]["image"] = tag
    tenant.cluster.apply(pod, tenant.service("demo"))
    running = tenant.running("demo")
    (image,) = [container["image"] for container in running["spec"]["containers"]]
    assert image == f"{tag}@{tenant.server['digest']}"

    def taken() -> float:
        answer = client.request(f"{running['status']['podIP']}:9902", "GET", "/metrics")
        found = _TAKEN.search(answer.body)
        return float(found[1]) if found else 0

    assert taken() >= 1
    volumes = [{"name": name, "kind": "emptyDir"} for name in ("tmp", "more")]
    tenant.cluster.apply(tenant.policy(servers=[server | {"image": tag}], volumes=volumes))
    eventually(lambda: taken() >= 2, "a receipt under the new policy", seconds=60)
    other = server | {"digest": EXEMPT_DIGEST}
    tenant.cluster.apply(tenant.policy(servers=[other]))
    withheld = time.monotonic()

    def unready() -> bool:
        return condition(tenant.get("pod", "demo"), "Ready") == "False"

    eventually(unready, "the pod is unready", seconds=RECEIPT_SECONDS + MARGIN_SECONDS)
    assert time.monotonic() - withheld < RECEIPT_SECONDS + MARGIN_SECONDS
    events = tenant.kubectl("get", "events", "--field-selector", "involvedObject.name=demo")
    log = tenant.kubectl("logs", "demo", "-c", "quorate-sidecar")
    assert "ServerImageNotAllowed" in log
    assert "the receipt expired" in events
