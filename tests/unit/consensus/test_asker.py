"""Whose an ask is, as asker and members derive it."""

import hashlib

import pytest

from quorate.consensus.asker import audience, target_of
from quorate.consensus.freeze import Scope
from quorate.errors import InvalidInput
from quorate.keys import load_public_key
from tests.fakes.asking import PRINCIPAL, request, user
from tests.fakes.vouching import signer


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
    assert found[Scope.WORKLOAD] == f"{PRINCIPAL.namespace}/{PRINCIPAL.workload}"
    assert found[Scope.CAPABILITY] == "chat"
    assert found[Scope.MODEL_VERSION] == PRINCIPAL.manifest_digest
