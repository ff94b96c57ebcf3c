"""One namespace with a served model and an attacker inside it, for the whole run."""

from collections.abc import Iterator

import pytest

from tests.bypass.ground import Ground
from tests.e2e.artifacts import ModelImage
from tests.e2e.client import Client
from tests.e2e.conftest import client, cluster, models
from tests.e2e.tenant import Tenant
from tools.demo.cluster import Cluster, images

__all__ = ["Client", "client", "cluster", "ground", "models"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the cluster."""
    for item in items:
        if "tests/bypass" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def ground(cluster: Cluster, models: dict[str, ModelImage]) -> Iterator[Ground]:
    """The namespace that is attacked. Whatever was tried, only what was meant to serve serves."""
    made = Ground(Tenant(cluster, "bypass", models, images()["scripted"]))
    made.create()
    yield made
    answering = made.answering()
    made.remove()
    assert answering == []
