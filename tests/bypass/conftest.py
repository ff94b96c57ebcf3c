"""One namespace with a served model and an attacker inside it, for the whole run."""

import pytest

from tests.bypass.ground import Ground
from tests.e2e.artifacts import ModelImage
from tests.e2e.client import Client
from tests.e2e.conftest import client, cluster, models
from tests.e2e.tenant import Tenant
from tools.demo.cluster import Cluster, images

_GROUND = pytest.StashKey[Ground]()
__all__ = ["Client", "client", "cluster", "ground", "models"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the cluster."""
    for item in items:
        if "tests/bypass" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def ground(
    request: pytest.FixtureRequest, cluster: Cluster, models: dict[str, ModelImage]
) -> Ground:
    """The namespace that is attacked. Whatever was tried, only what was meant to serve serves.

    Gone with the last test here: its policy selects every model, those of tests/e2e too.
    """
    made = Ground(Tenant(cluster, "bypass", models, images()["scripted"]))
    request.config.stash[_GROUND] = made
    made.create()
    return made


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A session's fixture would stay until the end, and no package holds these tests."""
    made = item.config.stash.get(_GROUND, None)
    if made is None or (nextitem is not None and "tests/bypass" in nextitem.path.as_posix()):
        return
    del item.config.stash[_GROUND]
    answering = made.answering()
    made.remove()
    assert answering == []
