"""Connections to pods, as far as the API server judges them by itself."""

from collections.abc import Iterator
from functools import partial

import pytest

from quorate import names
from tests.contract.floor.ground import Floor, eventually, installed

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor of this module's own."""
    with installed("connect") as here:
        yield here


def said(floor: Floor, how: str, query: str = "") -> str:
    """What the API server says to a connection. The pod need not be: admission comes first."""
    path = f"/api/v1/namespaces/{floor.namespace}/pods/sample/{how}{query}"
    return floor.api.request("POST", path).message


def refuses(floor: Floor, how: str, expected: bool) -> bool:
    """Whether a connection meets what is expected."""
    return ("ConnectRefused" in said(floor, how)) is expected


@pytest.mark.requirement("exec, attach and port-forward into a model pod are refused")
def test_the_injected_containers_are_never_connected_to(floor: Floor) -> None:
    """Whatever the pod is; other containers are for the webhook to judge."""
    for container in (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER):
        for how in ("exec", "attach"):
            assert "ConnectRefused" in said(floor, how, f"?container={container}&stdout=true")
    for how in ("exec?container=server&command=sh&stdout=true", "attach?stdout=true"):
        assert "ConnectRefused" not in said(floor, *how.partition("?")[::2])


@pytest.mark.requirement("exec, attach and port-forward into a model pod are refused")
def test_a_namespace_may_refuse_all_connections(floor: Floor) -> None:
    """The label holds although no webhook is asked."""
    path = f"/api/v1/namespaces/{floor.namespace}"
    for value, refused in (("refuse", True), (None, False)):
        body = {"metadata": {"labels": {names.CONNECT_LABEL: value}}}
        kind = "application/merge-patch+json"
        assert floor.api.request("PATCH", path, body, content_type=kind).accepted
        # The API server reads labels from a cache that lags behind a little.
        eventually(partial(refuses, floor, "exec", refused), "the label is read")
        for how in ("exec", "attach", "portforward"):
            assert refuses(floor, how, refused), how
