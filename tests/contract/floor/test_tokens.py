"""Tokens of our audience are minted for nodes alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.floor.ground import Floor, installed

pytestmark = pytest.mark.cluster

RESERVED = (["quorate"], ["quorate-member"], ["api", "quorate"], ["quorate.example.test"])
PLAIN: tuple[list[str], ...] = ([], ["api"], ["not-quorate"])


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor of this module's own."""
    with installed("tokens") as here:
        yield here


def mint(floor: Floor, audiences: list[str], **request: Any) -> str:
    """Ask for a token under a dry run; returns why it was refused."""
    path = f"/api/v1/namespaces/{floor.namespace}/serviceaccounts/default/token?dryRun=All"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": audiences} if audiences else {},
    }
    return floor.api.request("POST", path, body, **request).message


@pytest.mark.requirement("a tenant's TokenRequest for audience quorate → denied")
def test_nobody_mints_our_tokens(floor: Floor) -> None:
    """Not even an administrator; tokens of other audiences are everybody's own affair."""
    for audiences in RESERVED:
        said = mint(floor, audiences)
        assert "TokenAudienceReserved" in said
        # An installation's own copy of the policy may answer first.
        assert "-token' denied request" in said
    for audiences in PLAIN:
        assert mint(floor, audiences) == ""


def test_nodes_mint_them_for_the_pods_they_run(floor: Floor) -> None:
    """The group of nodes may ask for any audience; a name that merely looks like it may not."""
    node: dict[str, Any] = {"user": "a-node", "groups": ("system:nodes", "system:masters")}
    for audiences in (*RESERVED, *PLAIN):
        assert mint(floor, audiences, **node) == ""
    lookalike: dict[str, Any] = {
        "user": "system:nodes",
        "groups": ("system:nodes-2", "system:masters"),
    }
    assert "TokenAudienceReserved" in mint(floor, ["quorate"], **lookalike)
