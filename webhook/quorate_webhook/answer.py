"""What goes back to the API server, and how much of it."""

import base64
import textwrap
from typing import Any

import msgspec

from quorate.admission.mutate import Operation
from quorate.admission.validate import Judgement
from quorate.verdict import Verdict

DENIALS_MAX = 20
"""Denials spelt out in one message; a pod may have thousands of wrong containers."""
WARNING_LENGTH = 250
"""The API server asks for at most 256 bytes a warning; words are ASCII but for names."""
WARNINGS_MAX = 16
_CODE = 403


class _Status(msgspec.Struct, omit_defaults=True):
    message: str
    reason: str
    code: int


class _Response(msgspec.Struct, omit_defaults=True, rename="camel"):
    uid: str
    # Without a default, so that it is always written.
    allowed: bool
    status: _Status | None = None
    patch: str = ""
    patch_type: str = ""
    warnings: tuple[str, ...] = ()
    audit_annotations: dict[str, str] = {}


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    response: _Response


class Answer(msgspec.Struct, frozen=True):
    """The bytes, and what was decided, for logs and metrics."""

    body: bytes
    decision: str
    """``allowed``, ``denied`` or ``patched``."""
    reason: str = ""
    message: str = ""
    may_come: bool = False
    """A pod was not known; it may be in a moment."""


_ENCODER = msgspec.json.Encoder()


def _encoded(response: _Response) -> bytes:
    return _ENCODER.encode(_Review("admission.k8s.io/v1", "AdmissionReview", response))


def allowed(uid: str) -> Answer:
    """Yes, without a word."""
    return Answer(_encoded(_Response(uid, True)), "allowed")


def judged(uid: str, judgement: Judgement) -> Answer:
    """Yes or no, as judged, with warnings and what an auditor wants to know."""
    notes = _annotations(judgement)
    warnings = _warnings(judgement.warnings)
    if judgement.verdict.allowed:
        response = _Response(uid, True, warnings=warnings, audit_annotations=notes)
        return Answer(_encoded(response), "allowed")
    return refused(uid, judgement.verdict, warnings=warnings, notes=notes)


def refused(
    uid: str,
    verdict: Verdict,
    *,
    warnings: tuple[str, ...] = (),
    notes: dict[str, str] | None = None,
    may_come: bool = False,
) -> Answer:
    """No, and why."""
    message = message_of(verdict)
    notes = (notes or {}) | {"reasons": _reasons(verdict)}
    status = _Status(message, "Forbidden", _CODE)
    response = _Response(uid, False, status, warnings=warnings, audit_annotations=notes)
    reason = str(verdict.denials[0].reason)
    return Answer(_encoded(response), "denied", reason, message, may_come)


def encoded_patch(operations: list[Operation]) -> bytes:
    """A JSON patch as :func:`patched` takes it; empty if it does nothing."""
    return base64.b64encode(_ENCODER.encode(operations)) if operations else b""


def patched(uid: str, patch: bytes) -> Answer:
    """Yes, with a JSON patch (see :func:`encoded_patch`) if there is anything to add."""
    if not patch:
        return allowed(uid)
    response = _Response(uid, True, patch=patch.decode("ascii"), patch_type="JSONPatch")
    return Answer(_encoded(response), "patched")


def reported(uid: str, judgement: Judgement, *, warn: bool, audit: bool) -> Answer:
    """Yes, with what enforcing would have said."""
    verdict = judgement.verdict
    said = tuple(denial.text() for denial in verdict.denials[:DENIALS_MAX])
    notes = _annotations(judgement)
    if said:
        notes |= {"reasons": _reasons(verdict), "message": message_of(verdict)}
    response = _Response(
        uid,
        True,
        warnings=_warnings(said + judgement.warnings) if warn else (),
        audit_annotations=notes if audit else {},
    )
    reason = str(verdict.denials[0].reason) if said else ""
    return Answer(_encoded(response), "allowed", reason)


def message_of(verdict: Verdict) -> str:
    """All denials, one a line, as far as they fit."""
    lines = [denial.text() for denial in verdict.denials[:DENIALS_MAX]]
    if len(verdict.denials) > DENIALS_MAX:
        lines.append(f"… and {len(verdict.denials) - DENIALS_MAX} more")
    return "\n".join(lines)


def _reasons(verdict: Verdict) -> str:
    return ",".join(dict.fromkeys(str(d.reason) for d in verdict.denials[:DENIALS_MAX]))


def _annotations(judgement: Judgement) -> dict[str, str]:
    notes: dict[str, Any] = {"exempt": "true"} if judgement.exempt else {}
    if judgement.selection is not None:
        notes["policies"] = judgement.selection.names
    if judgement.known is not None:
        notes["model"] = judgement.known.name
        notes["manifest"] = judgement.known.manifest_digest
    return notes


def _warnings(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each text in pieces that the API server does not cut."""
    if not texts:
        return ()
    pieces = [piece for text in texts for piece in textwrap.wrap(text, WARNING_LENGTH)]
    return tuple(pieces[:WARNINGS_MAX])
