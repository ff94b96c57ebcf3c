"""The webhook configurations: opt-in, fast, fail closed where it matters and nowhere else."""

import json
from typing import Any

import pytest

from quorate import limits
from quorate_webhook.review import PATHS
from tests.contract.chart.rendered import Document, named, rendered

pytestmark = pytest.mark.cluster


def webhooks(kind: str) -> dict[str, Document]:
    """Entries of a configuration by name."""
    document = named(rendered(), kind, "quorate")
    return {entry["name"]: entry for entry in document["webhooks"]}


def every() -> dict[str, Document]:
    """Entries of both configurations."""
    return webhooks("MutatingWebhookConfiguration") | webhooks("ValidatingWebhookConfiguration")


@pytest.mark.requirement("mutate Ignore, validate Fail")
def test_failure_policies() -> None:
    """Mutate and reports are let through when we are down; what validates in enforce is not."""
    policies = {name: entry["failurePolicy"] for name, entry in every().items()}
    assert policies == {
        "mutate.quorate.dev": "Ignore",
        "validate-pods.quorate.dev": "Fail",
        "validate-resize.quorate.dev": "Fail",
        "validate-ephemeralcontainers.quorate.dev": "Fail",
        "validate-podbinding.quorate.dev": "Fail",
        "validate-bindings.quorate.dev": "Fail",
        "validate-connect.quorate.dev": "Fail",
        "report-warn.quorate.dev": "Ignore",
        "report-audit.quorate.dev": "Ignore",
    }


@pytest.mark.requirement("timeout ≤ 5 s, sideEffects None, matchPolicy Equivalent")
def test_every_entry_is_bounded() -> None:
    """The webhook's own deadline is well inside; no side effects; served where it is dialled."""
    for entry in every().values():
        assert limits.REVIEW_DEADLINE * 2 < entry["timeoutSeconds"] <= 5
        assert entry["sideEffects"] == "None"
        assert entry["matchPolicy"] == "Equivalent"
        assert entry["admissionReviewVersions"] == ["v1"]
        service = entry["clientConfig"]["service"]
        assert (service["name"], service["namespace"]) == ("quorate-webhook", "quorate-system")
        assert service["path"] in PATHS
        assert "caBundle" not in entry["clientConfig"]
    assert webhooks("MutatingWebhookConfiguration")["mutate.quorate.dev"]["reinvocationPolicy"] == (
        "IfNeeded"
    )


@pytest.mark.requirement("opt-in namespaces; never kube-system or our own")
def test_only_labelled_namespaces() -> None:
    """Each entry is for its mode, and never for the namespaces a cluster starts from."""
    for name, entry in every().items():
        mode, own = entry["namespaceSelector"]["matchExpressions"]
        expected = (
            name.partition(".")[0].partition("-")[2] if name.startswith("report") else "enforce"
        )
        assert (mode["key"], mode["operator"]) == ("quorate.dev/mode", "In")
        assert mode["values"] == [expected]
        assert own["operator"] == "NotIn"
        assert set(own["values"]) == {"quorate-system", "kube-system", "kube-node-lease"}


@pytest.mark.requirement("one webhook entry per object shape")
def test_each_shape_has_its_entry() -> None:
    """One resource an entry, with the operations that change it."""
    rules = {
        name.partition(".")[0]: [(r["resources"], r["operations"]) for r in entry["rules"]]
        for name, entry in every().items()
    }
    assert rules == {
        "mutate": [(["pods"], ["CREATE"])],
        "validate-pods": [(["pods"], ["CREATE", "UPDATE"])],
        "validate-resize": [(["pods/resize"], ["UPDATE"])],
        "validate-ephemeralcontainers": [(["pods/ephemeralcontainers"], ["UPDATE"])],
        "validate-podbinding": [(["pods/binding"], ["CREATE"])],
        "validate-bindings": [(["bindings"], ["CREATE"])],
        "validate-connect": [(["pods/exec", "pods/attach", "pods/portforward"], ["CONNECT"])],
        "report-warn": [(["pods"], ["CREATE"])],
        "report-audit": [(["pods"], ["CREATE"])],
    }


def conditions(name: str) -> set[str]:
    """Names of an entry's match conditions."""
    entry: dict[str, Any] = every()[name]
    return {condition["name"] for condition in entry.get("matchConditions", [])}


@pytest.mark.requirement("UPDATE judges changes only")
def test_updates_that_change_nothing_guarded_stay_in_the_api_server() -> None:
    """Finalizers, adoption and Job tracking never depend on us; bindings always do."""
    assert "spec-or-labels-changed" in conditions("validate-pods.quorate.dev")
    assert "spec-or-labels-changed" in conditions("validate-resize.quorate.dev")
    for name in ("ephemeralcontainers", "podbinding", "bindings"):
        assert conditions(f"validate-{name}.quorate.dev") == set()
    text = json.dumps(every()["validate-pods.quorate.dev"]["matchConditions"])
    assert "object.spec != oldObject.spec" in text
