"""Every certificate of the installation is replaced while requests flow and pods are created."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from quorate_operator import webhook_tls
from quorate_operator.kinds import SECRET, Key
from tests.e2e.client import Client
from tests.e2e.conftest import VALUES
from tests.e2e.installation import SYSTEM
from tests.e2e.tenant import Tenant
from tests.e2e.test_serving import host
from tests.e2e.traffic import Traffic
from tools.demo import chart
from tools.demo.cluster import Cluster
from tools.demo.members import stateful_sets

PORT = 8443
TRAFFIC_SECONDS = 300
SHORT = {"member.certificateLifeSeconds": "60", "member.servingCertificateLifeSeconds": "60"}
"""The least that the chart takes: a member's leaf is renewed after 40 s, certificates at 30."""
OUTLIVED_SECONDS = 75
"""Traffic flows for longer than any of the first of these lives, so that only renewals explain
it."""

_SERVED = """
import json, ssl, sys
print(json.dumps([ssl.get_server_certificate((host, int(sys.argv[1]))) for host in sys.argv[2:]]))
"""


@contextmanager
def short_lives(cluster: Cluster) -> Iterator[None]:
    """The installation with certificates that live as shortly as they may."""
    chart.install(cluster, values=VALUES | SHORT)
    try:
        yield
    finally:
        chart.install(cluster, values=VALUES)


def serials(client: Client, *hosts: str) -> set[int]:
    """Serial numbers of the leafs that new connections to these addresses are shown."""
    shown = json.loads(client.python(_SERVED, str(PORT), *hosts))
    return {x509.load_pem_x509_certificate(pem.encode()).serial_number for pem in shown}


def webhooks(cluster: Cluster) -> list[str]:
    """Addresses of the webhook's pods."""
    pods = cluster.get("pods", "-l", "app.kubernetes.io/component=webhook", *SYSTEM)["items"]
    return [pod["status"]["podIP"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def members(cluster: Cluster) -> list[str]:
    """Hosts of the members' Services."""
    return [f"{name}.{chart.NAMESPACE}.svc" for name in stateful_sets(cluster)]


def stored_leaf(cluster: Cluster) -> x509.Certificate:
    """The webhook's serving certificate, as its Secret holds it."""
    secret = cluster.get("secret", webhook_tls.LEAF_SECRET, *SYSTEM)
    return x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))


def age_webhook_leaf(cluster: Cluster) -> int:
    """Put a leaf of the same authority in place that is past two thirds of its life, and counts
    still; returns its serial number. The operator has to replace it."""
    authority = webhook_tls.read_authority(cluster.get("secret", webhook_tls.CA_SECRET, *SYSTEM))
    life = webhook_tls.LEAF_LIFE
    begun = datetime.now(UTC) - life * 5 / 6
    leaf = webhook_tls.new_leaf(authority, chart.NAMESPACE, begun, life)
    key = Key(SECRET.name, chart.NAMESPACE, webhook_tls.LEAF_SECRET)
    cluster.apply(webhook_tls.tls_secret(key, leaf.certificate_pem, leaf.key_pem))
    return x509.load_pem_x509_certificate(leaf.certificate_pem).serial_number


def issued(tenant: Tenant) -> set[str]:
    """The model's certificates, as its status holds them."""
    status = tenant.get("attestedmodel", "demo").get("status", {})
    return {entry["envelope"] for entry in status.get("certificates", [])}


def create_while(tenant: Tenant, client: Client, aged: int, before: set[int]) -> int:
    """Create pods, each of which must be admitted, until all leafs and certificates are new;
    returns how many there were."""
    first = issued(tenant)
    began = time.monotonic()
    created, rotated = 0, False
    while not rotated:
        passed = time.monotonic() - began
        assert passed < TRAFFIC_SECONDS - 20, (aged, before, stored_leaf(tenant.cluster))
        pod = json.dumps(tenant.pod(f"meanwhile-{created}"))
        tenant.kubectl("create", "--dry-run=server", "-f", "-", stdin=pod)
        created += 1
        new = stored_leaf(tenant.cluster).serial_number
        rotated = (
            passed > OUTLIVED_SECONDS
            and new not in {aged, *before}
            and serials(client, *webhooks(tenant.cluster)) == {new}
            and serials(client, *members(tenant.cluster)).isdisjoint(before)
            and issued(tenant).isdisjoint(first)
        )
    return created


@pytest.mark.whole
@pytest.mark.requirement("certificate rotation under traffic → no failed request")
def test_certificates_rotate_under_traffic(tenant: Tenant, client: Client) -> None:
    """The webhook's leaf by the operator, each member's leaf, and the model's certificate are
    replaced; requests are answered and pods admitted all the while."""
    cluster = tenant.cluster
    with short_lives(cluster):
        tenant.serve()
        traffic = Traffic(client, host(tenant), 80, TRAFFIC_SECONDS)
        before = serials(client, *members(cluster), *webhooks(cluster))
        aged = age_webhook_leaf(cluster)
        assert create_while(tenant, client, aged, before) > 10
        tenant.cluster.apply(tenant.pod("afterwards"))
        tenant.running("afterwards")
        failed = [outcome for outcome in traffic.stop() if outcome[1] != 200]
    assert failed == []
    leaf = stored_leaf(cluster)
    assert leaf.not_valid_after_utc - datetime.now(UTC) > webhook_tls.LEAF_LIFE - timedelta(hours=1)
    leaf.verify_directly_issued_by(
        webhook_tls.read_authority(
            cluster.get("secret", webhook_tls.CA_SECRET, *SYSTEM)
        ).certificate
    )
