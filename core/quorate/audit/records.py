"""What one line of the audit log says.

A line is ``{"seq","prev","at","body"}``. ``prev`` is the SHA-256 of the line before it, so no line
can change, go missing or move without the next one saying so. Bodies hold digests and counts of
what passed, never the texts themselves.
"""

from typing import Annotated, Literal

import msgspec

FORMAT = 3
"""Raised when a reader of the old format would misread the new one."""

LINE_BYTES = 64 * 1024
"""The longest line a verifier reads; a writer stays far below it."""

Text = Annotated[str, msgspec.Meta(max_length=1024)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^(sha256:[0-9a-f]{64})?\Z")]
"""``sha256:<hex>``, or empty where there was nothing to digest."""
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

EVIDENCE_CHARS = 48 * 1024
Evidence = Annotated[str, msgspec.Meta(max_length=EVIDENCE_CHARS)]
SILENT_MAX = 16
"""At least as many as a committee has members."""
Decision = Literal["approve", "deny", "hold"]
"""What became of an action. Only ``approve`` let it pass."""

Outcome = Literal["released", "denied", "interrupted", "failed"]
"""How an exchange ended: all of the answer went out; a check or the policy stopped it; the client
left or the process drained; the model server failed."""


class CheckResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What one check did to one direction of an exchange. ``findings`` counts by rule."""

    check: Text
    action: Text
    findings: dict[str, Count] = {}


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Bytes of text in one lane: all that arrived, how far the checks read, what was let out.

    ``released`` + ``masked`` ≤ ``scanned`` ≤ ``received`` must hold; masked bytes were replaced.
    """

    lane: Text
    received: Count
    scanned: Count
    released: Count
    masked: Count


class _Body(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag_field="kind"
):
    """What the kinds of record share: how they are written."""


class Head(_Body, frozen=True, tag="head"):
    """First line of every file: whose log this is, and how the file before it ended."""

    format: int
    file: Count
    namespace: Text
    pod: Text
    pod_uid: Text
    genesis: Digest
    dropped_bytes: Count = 0
    """Bytes of an unfinished last line that the file before this one ends with."""


class Open(_Body, frozen=True, tag="open"):
    """Written before anything is sent to the model server."""

    id: Text
    path: Text
    model: Text
    stream: bool
    request_bytes: Count
    request_digest: Digest
    """Of the body as it is forwarded, after parsing, masking and serialising again."""
    checks: tuple[CheckResult, ...]
    policy_digests: tuple[Digest, ...]
    manifest_digest: Digest


class Close(_Body, frozen=True, tag="close"):
    """Written when an exchange ends. An open record without one was interrupted."""

    id: Text
    outcome: Outcome
    status: Count
    code: Text
    """The stable word for a refusal; empty when all was released."""
    received_bytes: Count
    released_bytes: Count
    """Bytes of the body that went to the client, framing included."""
    released_digest: Digest
    checks: tuple[CheckResult, ...]
    coverage: tuple[Coverage, ...]
    milliseconds: Count


class Deny(_Body, frozen=True, tag="deny"):
    """A request that was refused before anything was sent to the model server."""

    id: Text
    path: Text
    status: Count
    code: Text
    message: Text
    request_bytes: Count
    checks: tuple[CheckResult, ...]
    policy_digests: tuple[Digest, ...]
    manifest_digest: Digest


class Action(_Body, frozen=True, tag="action"):
    """What was decided about one action of an answer, before anything of it left.

    ``id`` is the exchange's; ``place`` counts the calls of ``choice`` that come before. An action
    of text alone that the sidecar decides about has no record of its own.
    """

    id: Text
    choice: Count
    place: Count
    tool: Text
    """Empty for the answer itself."""
    capability: Text
    action_class: Text
    band: Text
    score: Count
    decided_by: Text
    """``sidecar``, or the tier that was asked."""
    decision: Decision
    cause: Text
    """A stable word."""
    request: Digest
    """Of the request that asks about it; members name it in their votes."""
    epoch: Digest
    nonce: Text
    """Of the ask, in hex; empty if nobody was asked."""
    approvals: Count
    others: Count
    """Votes that were no approval."""
    needed: Count
    """Approvals that were asked for; 0 if nobody was asked."""
    silent: Annotated[dict[Text, Text], msgspec.Meta(max_length=SILENT_MAX)]
    """Members without a vote, and why in a word. What an abstention says is not signed."""
    votes: Evidence
    """The certificate of an approval, or all votes in the same form: MessagePack in base64."""
    hold: Digest
    """The hold's id, if it is held or people decided about it."""
    milliseconds: Count


class HoldDecided(_Body, frozen=True, tag="hold"):
    """What people decided about an action that was held here."""

    hold: Digest
    standing: Text
    signers: tuple[Digest, ...]
    """Ids of the keys that signed."""
    decision: Digest
    """Of the signed envelope."""
    expires_at: Text


class ReceiptTaken(_Body, frozen=True, tag="receipt"):
    """The pod's receipt from here on: everything below was served with it, until the next one."""

    receipt_digest: Digest
    """Of the signed statement."""
    node_uid: Text
    image_digests: tuple[Digest, ...]
    manifest_digest: Digest
    policy_digests: tuple[Digest, ...]
    certificate_ids: tuple[Digest, ...]
    expires_at: Text


Body = Head | Open | Close | Deny | Action | HoldDecided | ReceiptTaken


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line. ``at`` is RFC 3339 in UTC."""

    seq: Count
    prev: Hash
    at: Text
    body: Body
