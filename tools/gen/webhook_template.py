"""The chart's webhook configurations: static, owned by the chart, with no CA bundle of their own.

The install Job sets the CA bundle; a ``caBundle`` key here, even an empty one, would be fought
over.
The namespaces are those of the floor: both are made from ``quorate.admission.floor``.
"""

from typing import Any

from quorate import names
from quorate.admission.connect import SUBRESOURCES
from quorate.admission.floor import enforced_namespaces
from quorate.admission.floor.clauses import NOT_A_MIRROR
from tools.gen.injection_template import LABELS
from tools.gen.yaml_text import dump

Document = dict[str, Any]

TIMEOUT_SECONDS = 5
"""The webhook answers DENY by itself after quorate.limits.REVIEW_DEADLINE, well inside this."""

_LABELS_OF = "(has({0}.metadata.labels) ? dyn({0}.metadata.labels) : dyn({{}}))"
CHANGED = {
    "name": "spec-or-labels-changed",
    "expression": "request.operation != 'UPDATE' || object.spec != oldObject.spec\n"
    f"  || {_LABELS_OF.format('object')} != {_LABELS_OF.format('oldObject')}",
}
"""Finalizers, status and annotations never depend on evidence that has expired since."""


def webhook_template() -> str:
    """Both configurations as one Helm template."""
    documents = (
        _configuration("MutatingWebhookConfiguration", [_mutate()]),
        _configuration("ValidatingWebhookConfiguration", [*_validate(), *_reports()]),
    )
    return "---\n".join(
        dump(document, width=10_000).replace(
            "metadata:\n", f"metadata:\n  labels:\n    {LABELS}\n", 1
        )
        for document in documents
    )


def _configuration(kind: str, webhooks: list[Document]) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "quorate"},
        "webhooks": webhooks,
    }


def _webhook(
    name: str, path: str, policy: str, rules: list[Document], *modes: str, **extra: Any
) -> Document:
    return {
        "name": f"{name}.{names.GROUP}",
        "clientConfig": {
            "service": {
                "name": names.WEBHOOK_SERVICE,
                "namespace": names.NAMESPACE,
                "port": 443,
                "path": path,
            }
        },
        "rules": rules,
        "failurePolicy": policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchExpressions": enforced_namespaces(*modes)},
        **extra,
    }


def _rule(resource: str | list[str], *operations: str) -> list[Document]:
    return [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": list(operations),
            "resources": [resource] if isinstance(resource, str) else resource,
            "scope": "Namespaced",
        }
    ]


def _mutate() -> Document:
    return _webhook(
        "mutate",
        "/v1/mutate",
        # What mutate misses, validate and the floor refuse.
        "Ignore",
        _rule("pods", "CREATE"),
        "enforce",
        reinvocationPolicy="IfNeeded",
        matchConditions=[NOT_A_MIRROR],
    )


def _validate() -> list[Document]:
    """One entry per shape of object, so that each handler knows what it reads."""
    shapes: tuple[tuple[str, list[Document], list[Document]], ...] = (
        ("pods", _rule("pods", "CREATE", "UPDATE"), [NOT_A_MIRROR, CHANGED]),
        ("resize", _rule("pods/resize", "UPDATE"), [CHANGED]),
        ("ephemeralcontainers", _rule("pods/ephemeralcontainers", "UPDATE"), []),
        ("podbinding", _rule("pods/binding", "CREATE"), []),
        ("bindings", _rule("bindings", "CREATE"), []),
        ("connect", _rule([f"pods/{name}" for name in SUBRESOURCES], "CONNECT"), []),
    )
    return [
        _webhook(
            f"validate-{shape}",
            "/v1/validate",
            "Fail",
            rules,
            "enforce",
            **({"matchConditions": conditions} if conditions else {}),
        )
        for shape, rules, conditions in shapes
    ]


def _reports() -> list[Document]:
    """In namespaces that do not enforce: a verdict to read, never a refusal."""
    return [
        _webhook(
            f"report-{mode}",
            f"/v1/report/{mode}",
            "Ignore",
            _rule("pods", "CREATE"),
            mode,
            matchConditions=[NOT_A_MIRROR],
        )
        for mode in ("warn", "audit")
    ]
