"""What the operator may change in a namespace, on the real API server."""

from collections.abc import Iterator

import pytest

from quorate import names
from tests.contract.floor.ground import Document, Floor, installed

pytestmark = pytest.mark.cluster

UNTIL = "2026-11-21T12:00:00Z"
BREAKER = "somebody-of-the-platform-team"


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor of this module's own."""
    with installed("restoring") as here:
        yield here


def changed(floor: Floor, user: str, **metadata: Document) -> str:
    """Change the namespace as somebody with every right; returns why it was refused."""
    path = f"/api/v1/namespaces/{floor.namespace}?dryRun=All"
    kind = "application/merge-patch+json"
    groups: tuple[str, ...] = ("system:masters",) if user else ()
    body = {"metadata": metadata}
    return floor.api.request(
        "PATCH", path, body, content_type=kind, user=user, groups=groups
    ).message


@pytest.mark.requirement("break-glass: audited, self-expiring, always an incident")
def test_the_operator_restores_enforcement_and_nothing_else(floor: Floor) -> None:
    """Only where it was suspended until a time, only to enforce, and no other label goes along."""
    enforce = {names.MODE_LABEL: "enforce"}
    gone = {names.ENFORCE_AGAIN: None, names.SUSPENDED_BY: None}
    operator = names.OPERATOR_USER
    assert "GuardedFieldChanged" in changed(floor, operator, labels=enforce)
    path = f"/api/v1/namespaces/{floor.namespace}"
    annotated = {names.ENFORCE_AGAIN: UNTIL, names.SUSPENDED_BY: BREAKER, "kept": "yes"}
    notes = {"metadata": {"annotations": annotated, "labels": {"tier": "one"}}}
    kind, masters = "application/merge-patch+json", ("system:masters",)
    assert floor.api.request(
        "PATCH", path, notes, content_type=kind, user=BREAKER, groups=masters
    ).accepted
    for labels, annotations in (
        ({names.MODE_LABEL: "audit"}, gone),
        (enforce | {"pod-security.kubernetes.io/enforce": "privileged"}, gone),
        (enforce | {"tier": None}, gone),
        (enforce, gone | {"kept": None}),
        (enforce, gone | {"more": "yes"}),
        ({}, gone),
    ):
        said = changed(floor, operator, labels=labels, annotations=annotations)
        assert "GuardedFieldChanged" in said, labels
    assert changed(floor, operator, labels=enforce, annotations=gone) == ""
    assert changed(floor, "", labels={"anything": "else"}) == ""
