"""Webhook configurations: every entry there, bound to the right namespaces, with an authority."""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from cryptography import x509

from quorate.admission.floor import enforced_namespaces
from quorate_cli.cluster.attempt import Unreadable
from quorate_cli.cluster.kinds import Document
from quorate_cli.doctor.difference import difference
from quorate_cli.doctor.finding import UPGRADE, Finding, failed, ok
from quorate_cli.doctor.survey import CONFIGURATION, Survey

MUTATING: Final = {"mutate.quorate.dev": ("Ignore", "enforce", "CREATE pods")}
VALIDATING: Final = {
    "validate-pods.quorate.dev": ("Fail", "enforce", "CREATE,UPDATE pods"),
    "validate-resize.quorate.dev": ("Fail", "enforce", "UPDATE pods/resize"),
    "validate-ephemeralcontainers.quorate.dev": (
        *("Fail", "enforce", "UPDATE pods/ephemeralcontainers"),
    ),
    "validate-podbinding.quorate.dev": ("Fail", "enforce", "CREATE pods/binding"),
    "validate-bindings.quorate.dev": ("Fail", "enforce", "CREATE bindings"),
    "validate-connect.quorate.dev": (
        *("Fail", "enforce", "CONNECT pods/exec,pods/attach,pods/portforward"),
    ),
    "report-warn.quorate.dev": ("Ignore", "warn", "CREATE pods"),
    "report-audit.quorate.dev": ("Ignore", "audit", "CREATE pods"),
}
"""Entry → its failure policy, the mode of its namespaces, operations and resource."""
_REINSTALL: Final = (
    UPGRADE,
    "kubectl logs -n quorate-system -l app.kubernetes.io/component=install --tail=50",
)


def mutating(survey: Survey) -> Iterator[Finding]:
    """The mutating webhook is as shipped."""
    if not isinstance(survey.mutating, Unreadable):
        yield _finding("mutating webhook", survey.mutating, MUTATING)


def validating(survey: Survey) -> Iterator[Finding]:
    """The validating webhook is as shipped."""
    if not isinstance(survey.validating, Unreadable):
        yield _finding("validating webhook", survey.validating, VALIDATING)


def _finding(
    check: str, document: Document | None, expected: dict[str, tuple[str, str, str]]
) -> Finding:
    if document is None:
        message = f"there is no configuration {CONFIGURATION}: only the floor still denies"
        return failed(check, message, "install the chart again", *_REINSTALL)
    live = {webhook.get("name"): webhook for webhook in document.get("webhooks") or ()}
    for name, wanted in expected.items():
        problem = _problem(live.get(name), *wanted)
        if problem:
            return failed(check, f"{name}: {problem}", "install the chart again", *_REINSTALL)
    extra = sorted(str(name) for name in live if name not in expected)
    if extra:
        message = f"{extra[0]} is not an entry this version writes"
        return failed(check, message, "install the chart again", *_REINSTALL)
    count = "1 entry" if len(expected) == 1 else f"{len(expected)} entries"
    return ok(check, f"{count}, failure policies as shipped, with an authority")


def _problem(webhook: Document | None, policy: str, mode: str, rule: str) -> str:
    if webhook is None:
        return "is missing"
    if webhook.get("failurePolicy") != policy:
        return f"failurePolicy must be {policy}, not {webhook.get('failurePolicy')}"
    selector = {"matchExpressions": enforced_namespaces(mode)}
    if found := difference(selector, webhook.get("namespaceSelector") or {}):
        return f"namespaceSelector differs at {found}"
    if webhook.get("objectSelector"):
        return "objectSelector must not be set: it lets pods pass by their own labels"
    if _rules(webhook) != [rule]:
        return f"rules must be {rule}, not {'; '.join(_rules(webhook)) or 'none'}"
    try:
        authority(webhook)
    except ValueError as error:
        return f"caBundle {error}: the API server cannot reach the webhook"
    return ""


def _rules(webhook: Document) -> list[str]:
    return [
        f"{','.join(rule.get('operations') or ())} {','.join(rule.get('resources') or ())}"
        for rule in webhook.get("rules") or ()
    ]


def authority(webhook: Document) -> x509.Certificate:
    """The certificate by which the API server knows the webhook. Raises ValueError if none."""
    bundle = (webhook.get("clientConfig") or {}).get("caBundle")
    if not bundle:
        raise ValueError("is empty")
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(bundle, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("is no certificate") from None
