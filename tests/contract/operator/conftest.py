"""A real API server for the contract tests of the operator."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from kubernetes.aio import client, config

from quorate_operator.effects.api_server import ApiServer
from tests.contract.operator.control_plane import ControlPlane, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The API server, for all tests of this run."""
    with running(tmp_path_factory.mktemp("plane")) as started:
        yield started


@pytest_asyncio.fixture
async def api(plane: ControlPlane) -> AsyncIterator[ApiServer]:
    """The operator's own client of it."""
    configuration = client.Configuration()
    load = config.load_kube_config
    await load(str(plane.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with ApiServer(configuration) as server:
        yield server


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of its own for one test."""
    name = f"op-contract-{next(_numbers)}"
    plane.kubectl("create", "namespace", name)
    return name
