"""One webhook on the real API server for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.operator.control_plane import serve_kinds
from tests.contract.webhook.ground import Ground, prepared
from tests.contract.webhook.plane import running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the cluster."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def prepared_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Namespaces, policy, model and configurations; the webhook does not run."""
    folder = tmp_path_factory.mktemp("plane")
    with running(folder) as plane:
        plane.start()
        try:
            serve_kinds(plane)
            with prepared(tmp_path_factory.mktemp("webhook"), plane) as ground:
                yield ground
        finally:
            plane.stop()


@pytest.fixture(scope="module")
def ground(prepared_ground: Ground) -> Iterator[Ground]:
    """The same, with the webhook running."""
    with prepared_ground.webhook():
        yield prepared_ground
