"""One installation and one set of images a run; one namespace a test."""

import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.e2e.artifacts import ModelImage, models_once
from tests.e2e.client import Client
from tests.e2e.installation import installed_once
from tests.e2e.people import administrator
from tests.e2e.tenant import Tenant
from tools.demo.cluster import Cluster, images

FULL = os.environ.get("QUORATE_TEST_FULL") == "1"
STATE_SECONDS = 600 if FULL else 60
"""Hard expiry of the signed state: the default, or a tenth of it."""
RECEIPT_SECONDS = 900 if FULL else 90
"""Hard expiry of a pod's receipt."""
SHORT = {
    "member.stateLifeSeconds": f"{STATE_SECONDS}",
    "member.receiptLifeSeconds": f"{RECEIPT_SECONDS}",
    "member.certificateLifeSeconds": "360",
}
VALUES = {"committee.admins.keys[0]": administrator().public_key.pem} | ({} if FULL else SHORT)
"""What the session's installation sets: who signs records of the committee, and for expiries the
defaults, or a tenth of them. A test that changes it puts it back."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the cluster."""
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(1500 if FULL else 420))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The running cluster with the chart installed."""
    return installed_once(tuple(VALUES.items()))


@pytest.fixture(scope="session")
def models(cluster: Cluster) -> dict[str, ModelImage]:
    """The packed models."""
    return models_once()


@pytest.fixture(scope="session")
def client(cluster: Cluster) -> Iterator[Client]:
    """A client's pod in a namespace that does not enforce."""
    made = Client(cluster, images()["client"]["reference"])
    made.create()
    yield made
    made.remove()


@pytest.fixture
def tenant(
    request: pytest.FixtureRequest, cluster: Cluster, models: dict[str, ModelImage]
) -> Iterator[Tenant]:
    """An enforced namespace of the test's own."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]
    made = Tenant(cluster, f"e2e-{digest}", models, images()["scripted"])
    made.create()
    yield made
    made.remove()
