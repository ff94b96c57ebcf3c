"""One installation for all tests of the operator, each with a namespace of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.contract.operator import control_plane
from tests.integration.operator.installation import Installation, Part
from tests.integration.operator.tenant import Tenant

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An API server with everything that is there before member and operator run."""
    folder = tmp_path_factory.mktemp("installation")
    with control_plane.running(tmp_path_factory.mktemp("plane")) as plane:
        installation = Installation(plane, folder)
        installation.prepare()
        yield installation


@pytest.fixture(scope="session")
def member(installed: Installation) -> Iterator[Part]:
    """A member that runs for all tests that do not stop it."""
    with installed.member() as part:
        yield part


@pytest.fixture
def operator(installed: Installation, member: Part) -> Iterator[Part]:
    """An operator that is ready."""
    with installed.operator() as part:
        yield part


@pytest.fixture
def tenant(installed: Installation) -> Iterator[Tenant]:
    """An enforced namespace with a floor of its own, gone afterwards."""
    made = Tenant(installed, f"op-team-{next(_numbers)}")
    made.create()
    yield made
    made.remove()
