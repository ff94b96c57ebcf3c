"""The webhook's serving certificate: for the right name, by the known authority, not about to end.

A certificate that ended takes every AI pod with it: validate fails closed.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from quorate import names
from quorate_cli.cluster.attempt import Unreadable
from quorate_cli.doctor.checks.webhooks import authority
from quorate_cli.doctor.finding import Finding, failed, notice, ok
from quorate_cli.doctor.survey import Survey

LATE: Final = 5 / 6
"""The operator replaces it at two thirds of its life; past this it has missed its time."""
_OPERATOR: Final = (
    f"kubectl logs -n {names.NAMESPACE} deployment/{names.OPERATOR_ACCOUNT} --tail=50",
    f"kubectl rollout restart -n {names.NAMESPACE} deployment/{names.OPERATOR_ACCOUNT}",
)


def serving_certificate(survey: Survey) -> Iterator[Finding]:
    """It serves the Service's name and will go on doing so."""
    check = "serving certificate"
    if isinstance(survey.leaf, Unreadable) or isinstance(survey.validating, Unreadable):
        return
    try:
        leaf = x509.load_pem_x509_certificate(base64.b64decode(survey.leaf, validate=True))
    except (binascii.Error, ValueError):
        fix = "let the install Job make it anew"
        yield failed(check, "the Secret holds no certificate", fix, *_OPERATOR)
        return
    webhooks = (survey.validating or {}).get("webhooks") or []
    if problem := _problem(leaf, webhooks[0] if webhooks else None):
        yield failed(check, problem, "see why the operator does not mend it", *_OPERATOR)
        return
    yield _by_age(check, leaf, survey.now)


def _problem(leaf: x509.Certificate, webhook: dict[str, object] | None) -> str:
    host = f"{names.WEBHOOK_SERVICE}.{names.NAMESPACE}.svc"
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        served = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        served = []
    if host not in served:
        return f"it is not for {host}"
    if webhook is not None:
        try:
            leaf.verify_directly_issued_by(authority(webhook))
        except (ValueError, TypeError, InvalidSignature):
            return "it is not by the authority of the webhook configuration"
    return ""


def _by_age(check: str, leaf: x509.Certificate, now: datetime) -> Finding:
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    ends = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    if now >= end:
        message = f"it ended at {ends}: every AI pod is denied"
        return failed(check, message, "see why the operator did not replace it", *_OPERATOR)
    if now > begin + (end - begin) * LATE:
        message = f"it ends at {ends} and should have been replaced"
        return notice(check, message, "see why the operator did not replace it", *_OPERATOR)
    return ok(check, f"until {ends}")
