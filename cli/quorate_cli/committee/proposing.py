"""Putting a proposal into the SafetyCommittee, where the operator takes it to the members."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from quorate import limits, names
from quorate.api.v1alpha1.safety_committee import (
    EVIDENCE_KEY,
    OBJECT,
    PROPOSALS_MAX,
    RECORD_CHARS,
)
from quorate.consensus import draft as drafts
from quorate.consensus import epoch as epochs
from quorate.consensus.draft import Draft
from quorate.errors import InvalidInput, SignatureError, Unavailable
from quorate_cli.cluster.kinds import CONFIG_MAP, SAFETY_COMMITTEE, Document
from quorate_cli.cluster.reader import Reader
from quorate_cli.cluster.writer import Conflict, Writer
from quorate_cli.committee.drafting import SIGNATURES

ATTEMPTS: Final = 4
EVIDENCE_MAX: Final = 700 * limits.KIB
"""With Base64 around it, it fits into a ConfigMap."""
_OVER: Final = ("Certified", "Superseded")
"""Phases in which a proposal needs its place no more."""


def check_signed(draft: Draft) -> None:
    """Raise SignatureError unless the administrators whom it needs have signed it."""
    by, need = drafts.signers(draft, SIGNATURES), drafts.required(draft)
    if len(by) < need.admins:
        raise SignatureError(
            f"{len(by)} of {need.admins} administrators signed it; members sign last",
            fix="have the others sign: quorate committee sign",
        )


def propose(
    draft: Draft, name: str, reader: Reader, writer: Writer, *, replace: bool, dry_run: bool
) -> bool:
    """Whether it was put in; False if this very proposal is in there.

    Raises InvalidInput for what cannot be proposed, SignatureError if too few people signed it,
    Unavailable.
    """
    check_signed(draft)
    proposal = _proposal(draft, name)
    for attempt in range(1, ATTEMPTS + 1):
        document = _committee(reader)
        proposals = _with(document, proposal, draft, replace=replace)
        if proposals is None:
            return False
        if draft.evidence and attempt == 1:
            _keep(draft.evidence, proposal["evidence"], reader, writer, dry_run=dry_run)
        version = (document.get("metadata") or {}).get("resourceVersion", "")
        body = {"metadata": {"resourceVersion": version}, "spec": {"proposals": proposals}}
        try:
            writer.patch(SAFETY_COMMITTEE, OBJECT, body, dry_run=dry_run)
            return True
        except Conflict:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def _proposal(draft: Draft, name: str) -> dict[str, Any]:
    record = epochs.encode(draft.record).decode("utf-8")
    if len(record) > RECORD_CHARS:
        raise InvalidInput(
            f"its record has {len(record)} characters; the object takes {RECORD_CHARS}",
            field="proposal",
            fix="quorate committee apply brings it to the members",
        )
    found: dict[str, Any] = {"name": name, "record": record}
    if draft.admins:
        found["admins"] = [
            {"signer": one.signer, "signature": base64.b64encode(one.signature).decode("ascii")}
            for one in draft.admins
        ]
    if draft.evidence:
        found["evidence"] = f"{name}-evidence"
    return found


def _committee(reader: Reader) -> Document:
    document = reader.get(SAFETY_COMMITTEE, OBJECT)
    if document is None:
        raise Unavailable(
            f"there is no SafetyCommittee {OBJECT}", fix="helm upgrade makes it; or committee apply"
        )
    return document


def _with(
    document: Document, proposal: Mapping[str, Any], draft: Draft, *, replace: bool
) -> list[Mapping[str, Any]] | None:
    """The proposals with this one among them; None if it is there as it is."""
    status = document.get("status") or {}
    current, number = (status.get("epoch") or {}).get("number"), draft.record.number
    if isinstance(current, int) and number <= current:
        raise InvalidInput(
            f"is for epoch {number}, and epoch {current} is in force",
            field="proposal",
            fix="make it again from the newest epoch, and have it signed again",
        )
    known: list[Mapping[str, Any]] = list((document.get("spec") or {}).get("proposals") or [])
    for one in known:
        if one == proposal:
            return None
        is_named = one.get("name") == proposal["name"]
        if is_named and not replace:
            raise InvalidInput(
                f"{proposal['name']} is there with another record or other signatures",
                field="--name",
                fix="choose another name, or --replace",
            )
        if not is_named and one.get("record") == proposal["record"]:
            raise InvalidInput(
                f"the same record is proposed as {one.get('name')}",
                field="proposal",
                fix=f"for other signatures: --name {one.get('name')} --replace",
            )
    if not any(one.get("name") == proposal["name"] for one in known):
        return [*_with_room(known, status), proposal]
    return [proposal if one.get("name") == proposal["name"] else one for one in known]


def _with_room(known: list[Mapping[str, Any]], status: Mapping[str, Any]) -> list[Any]:
    """Without those that are over, if there would be too many."""
    if len(known) < PROPOSALS_MAX:
        return known
    phases = {one.get("name"): one.get("phase") for one in status.get("proposals") or []}
    left = [one for one in known if phases.get(one.get("name")) not in _OVER]
    if len(left) >= PROPOSALS_MAX:
        raise InvalidInput(
            f"{PROPOSALS_MAX} proposals wait already",
            field="proposal",
            fix=f"withdraw one: kubectl edit {SAFETY_COMMITTEE.resource} {OBJECT}",
        )
    return left


def _keep(evidence: bytes, name: str, reader: Reader, writer: Writer, *, dry_run: bool) -> None:
    """Have the evidence in its ConfigMap."""
    if len(evidence) > EVIDENCE_MAX:
        raise InvalidInput(
            f"its evidence has {len(evidence)} bytes; a ConfigMap holds {EVIDENCE_MAX}",
            field="proposal",
            fix="quorate committee apply --token-file brings it to the members",
        )
    text = base64.b64encode(evidence).decode("ascii")
    body = {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {"name": name, "namespace": names.NAMESPACE},
        "binaryData": {EVIDENCE_KEY: text},
        "immutable": True,
    }
    try:
        writer.create(CONFIG_MAP, body, namespace=names.NAMESPACE, dry_run=dry_run)
    except Conflict:
        found = reader.get(CONFIG_MAP, name, names.NAMESPACE) or {}
        if not _holds(found, evidence):
            raise InvalidInput(
                f"ConfigMap {name} holds other evidence", field="--name", fix="choose another name"
            ) from None


def _holds(config_map: Document, evidence: bytes) -> bool:
    text = (config_map.get("binaryData") or {}).get(EVIDENCE_KEY, "")
    try:
        return base64.b64decode(text, validate=True) == evidence
    except binascii.Error:
        return False
