"""A pod's receipt: what a committee found of this very pod, signed for one session key.

A certificate is about a model, a signed state about what a pod may do now. A receipt joins them to
what runs: one pod, on one node, of these images, with these measured bytes, by these certificates.
A sidecar serves only with one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import limits, names, vouched
from quorate.canonical import digest_of, parse_object
from quorate.certificate import PolicyRef
from quorate.consensus.history import History
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import PublicKey, load_public_key
from quorate.ports import Signer
from quorate.statements import (
    DigestText,
    Identifier,
    Instant,
    check_life,
    check_time,
    convert,
    encode,
)

RECEIPT_BYTES = 64 * limits.KIB
"""An envelope with a receipt, or with a request for one."""
REQUEST_BYTES = 8 * limits.KIB

SessionKey = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
"""A sidecar's Ed25519 public key: PEM, in the one spelling that :attr:`PublicKey.pem` has."""


class ReceiptPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One policy that selects the pod, and the certificate that says the model holds it."""

    policy: PolicyRef
    policy_digest: DigestText
    certificate_id: DigestText


class ReceiptStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is signed. It counts from ``issued_at`` until just before ``expires_at``."""

    cluster_id: Identifier
    epoch: DigestText
    pod_uid: Identifier
    node_uid: Identifier
    image_digests: Annotated[
        tuple[DigestText, ...], msgspec.Meta(min_length=1, max_length=2 * limits.CONTAINERS_PER_POD)
    ]
    """Of all containers, as written and as the kubelet reported them; sorted, each once."""
    manifest_digest: DigestText
    policies: Annotated[
        tuple[ReceiptPolicy, ...], msgspec.Meta(min_length=1, max_length=limits.POLICIES_PER_POD)
    ]
    session_key: SessionKey
    issued_at: Instant
    expires_at: Instant


class RequestStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a sidecar signs with its session key: whose receipt it wants, and what it measured."""

    cluster_id: Identifier
    pod_uid: Identifier
    manifest_digest: DigestText
    session_key: SessionKey
    issued_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class Receipt:
    """A verified receipt, and the digest of its statement that names it in the audit log."""

    statement: ReceiptStatement
    digest: str

    @property
    def policy_digests(self) -> tuple[str, ...]:
        """The policies it was issued under."""
        return tuple(policy.policy_digest for policy in self.statement.policies)


_FORM: Final = vouched.Form(
    "receipt", ReceiptStatement, names.RECEIPT_TYPE, RECEIPT_BYTES, vouched.strict
)


def issue(statement: ReceiptStatement, signers: list[Signer]) -> bytes:
    """Sign a receipt; returns the DSSE envelope."""
    check_life(statement, "receipt", limits.RECEIPT_LIFE)
    return dsse.sign(encode(statement), names.RECEIPT_TYPE, signers)


def combine(envelopes: Sequence[bytes], history: History) -> bytes:
    """The receipt that a strict quorum signed, from what single members answered.

    Raises as :func:`quorate.vouched.combine`. Time and subject are for :func:`verify`.
    """
    return vouched.combine(envelopes, _FORM, history)


def verify(
    envelope: bytes,
    history: History,
    *,
    pod_uid: str,
    session_key: str,
    manifest_digest: str,
    now: datetime,
) -> Receipt:
    """Verify a receipt for exactly this pod, session key and measured model.

    Raises SignatureError without a strict quorum of its epoch's members, SubjectMismatch for
    anybody else's or an epoch that is not known, Expired, or InvalidInput.
    """
    found = read(envelope, history, now)
    statement = found.statement
    if statement.pod_uid != pod_uid:
        raise SubjectMismatch(f"receipt is for pod {statement.pod_uid}")
    if statement.session_key != session_key:
        raise SubjectMismatch("receipt is for another session key")
    if statement.manifest_digest != manifest_digest:
        raise SubjectMismatch(f"receipt is for model {statement.manifest_digest}")
    return found


def read(
    envelope: bytes, history: History, now: datetime, needed: vouched.Needed = vouched.strict
) -> Receipt:
    """Verify a receipt that so many members signed, whoever's it is. Raises as :func:`verify`."""
    found = vouched.verify(envelope, replace(_FORM, needed=needed), history)
    check_life(found.statement, "receipt", limits.RECEIPT_LIFE)
    check_time(found.statement, now, "receipt")
    return Receipt(found.statement, digest_of(found.document))


def request(statement: RequestStatement, signer: Signer) -> bytes:
    """Sign a request; the envelope proves that its maker holds the session key."""
    check_life(statement, "receipt request", limits.RECEIPT_REQUEST_LIFE)
    return dsse.sign(encode(statement), names.RECEIPT_REQUEST_TYPE, [signer])


def verify_request(envelope: bytes, cluster_id: str, now: datetime) -> RequestStatement:
    """What is asked, by somebody who holds the session key in it.

    Raises SignatureError if the key in it did not sign it, SubjectMismatch for another cluster,
    Expired, or InvalidInput.
    """
    parsed = dsse.parse(envelope, bytes_max=REQUEST_BYTES)
    # Read before it is verified: the key to verify with is in it.
    document = parse_object(parsed.payload, bytes_max=REQUEST_BYTES, what="receipt request")
    statement = convert(document, RequestStatement, "receipt request")
    key = parse_session_key(statement.session_key)
    dsse.verify(parsed, [key], 1, names.RECEIPT_REQUEST_TYPE)
    if statement.cluster_id != cluster_id:
        raise SubjectMismatch(f"receipt request is for cluster {statement.cluster_id}")
    check_life(statement, "receipt request", limits.RECEIPT_REQUEST_LIFE)
    check_time(statement, now, "receipt request")
    return statement


def parse_session_key(pem: str) -> PublicKey:
    """Read a session key. Raises InvalidInput for another kind of key or another spelling."""
    key = load_public_key(pem)
    if not isinstance(key.key, ed25519.Ed25519PublicKey) or key.pem != pem:
        raise InvalidInput("must be an Ed25519 public key in PEM", field="sessionKey")
    return key
