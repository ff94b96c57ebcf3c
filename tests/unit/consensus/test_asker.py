"""Whose an ask is, as asker and members derive it."""

import hashlib

import msgspec
import pytest

from quorate.consensus.asker import audience, target, target_of
from quorate.consensus.freeze import Order, Scope
from quorate.errors import InvalidInput
from quorate.keys import load_public_key
from tests.fakes.asking import PRINCIPAL, request, user
from tests.fakes.vouching import NOW, signer


def test_the_audience_is_the_digest_of_the_session_key() -> None:
    """Of its material, however the PEM text is spelled; what is no key is nobody's."""
    pem = signer().public_key.pem
    assert audience(pem) == hashlib.sha256(load_public_key(pem).spki).digest()
    assert audience(pem + "\n") == audience(pem)
    assert audience(signer().public_key.pem) != audience(pem)
    with pytest.raises(InvalidInput):
        audience("key")


def test_a_freeze_of_any_scope_finds_its_target() -> None:
    """Every scope but the cluster's has a name, and workloads are told apart by namespace."""
    found = target_of(request(user("hi"))).names
    assert set(found) == set(Scope) - {Scope.CLUSTER}
    assert found[Scope.CAPABILITY] == frozenset({"chat"})
    assert found[Scope.MODEL_VERSION] == PRINCIPAL.manifest_digest


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("team-a/chat-7d9f-x2", True),
        ("team-a/chat-7d9f", True),
        ("team-a/chat", True),
        ("team-a/cha", False),
        ("team-a/chat-7d9f-x2-1", False),
        ("team-b/chat", False),
        ("chat", False),
        ("team-a/", False),
    ],
)
def test_a_frozen_workload_stays_frozen_under_its_next_name(name: str, covered: bool) -> None:
    """A freeze names the pod, or what its name begins with before a dash; in its namespace."""
    principal = msgspec.structs.replace(PRINCIPAL, workload="chat-7d9f-x2")
    order = Order("c", Scope.WORKLOAD, name, "why", NOW, NOW)
    assert target(principal, "chat").is_under(order) is covered


def test_a_freeze_of_any_declared_capability_counts() -> None:
    """Two policies may declare one tool to be of two capabilities."""
    found = target(PRINCIPAL, "mail", ("files",))
    for name, covered in (("mail", True), ("files", True), ("chat", False)):
        assert found.is_under(Order("c", Scope.CAPABILITY, name, "why", NOW, NOW)) is covered
