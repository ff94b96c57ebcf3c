"""Certificates: a statement about a model and a policy, signed by a quorum of a committee.

A certificate is a DSSE envelope whose payload is the canonical form of a :class:`Statement` and
whose signatures are the members' votes. A committee of one is the smallest committee.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import msgspec

from quorate import limits, names, vouched
from quorate.canonical import digest_of
from quorate.consensus.history import History
from quorate.errors import SubjectMismatch
from quorate.evidence import dsse
from quorate.ports import Signer
from quorate.statements import (
    DigestText,
    Identifier,
    Instant,
    check_life,
    check_time,
    encode,
)


class PolicyRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which policy. ``namespace`` is None for a ClusterSafetyPolicy."""

    kind: Identifier
    namespace: Identifier | None
    name: Identifier

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class ServerImage(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """A server image that the policy's ``serverSigners`` signed."""

    digest: DigestText
    signed_by: Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=limits.SIGNATURES)]
    """Enough of them, as the policy names them: ``keys/NAME``, ``certificates/NAME``, …"""
    not_after: Instant | None = None
    """When too few of the signatures count any more; None if that does not happen by itself."""


_Servers = Annotated[tuple[ServerImage, ...], msgspec.Meta(max_length=limits.SERVER_SIGNERS)]
_Unread = Annotated[tuple[DigestText, ...], msgspec.Meta(max_length=limits.SERVER_SIGNERS)]


class Statement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What a certificate says: this model's bytes hold this policy, until then.

    ``epoch`` is that of its signers. ``evidence`` holds the digests of the documents they
    verified. A policy that names
    ``serverSigners`` lets images of ``servers`` run and no others; of ``servers_unread`` it is not
    known yet.
    """

    cluster_id: Identifier
    epoch: DigestText
    namespace: Identifier
    model: Identifier
    manifest_digest: DigestText
    policy: PolicyRef
    policy_digest: DigestText
    evidence: Annotated[tuple[DigestText, ...], msgspec.Meta(max_length=64 + limits.SERVER_SIGNERS)]
    issued_at: Instant
    expires_at: Instant
    servers: _Servers = ()
    servers_unread: _Unread = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verified certificate: its statement, its id and who voted."""

    statement: Statement
    certificate_id: str
    voters: frozenset[str]
    """Ids of their keys."""


_FORM: Final = vouched.Form(
    "certificate", Statement, names.CERTIFICATE_TYPE, limits.EVIDENCE_BYTES, vouched.strict
)


def issue(statement: Statement, signers: Sequence[Signer]) -> bytes:
    """Sign ``statement`` with the votes of ``signers``; returns the DSSE envelope."""
    check_life(statement, "certificate", limits.CERTIFICATE_LIFE)
    return dsse.sign(encode(statement), names.CERTIFICATE_TYPE, signers)


def combine(envelopes: Sequence[bytes], history: History) -> bytes:
    """The certificate that a strict quorum signed, from what single members answered.

    Raises as :func:`quorate.vouched.combine`. Time and subject are for :func:`verify`.
    """
    return vouched.combine(envelopes, _FORM, history)


def verify(envelope: bytes, history: History, now: datetime) -> Certificate:
    """Verify a certificate against the epochs that are known and the time.

    Raises SignatureError without a strict quorum of its epoch's members, SubjectMismatch for an
    epoch that is not known or another cluster, Expired outside its life, InvalidInput if malformed.
    What it is *for* is the caller's to compare: :func:`check_subject`.
    """
    found = vouched.verify(envelope, _FORM, history)
    check_life(found.statement, "certificate", limits.CERTIFICATE_LIFE)
    check_time(found.statement, now, "certificate")
    return Certificate(found.statement, digest_of(found.document), found.voters)


def stands(held: Certificate, history: History) -> bool:
    """Whether a certificate that verified once still has its quorum by a later history."""
    return vouched.stands(held.statement.epoch, held.voters, vouched.strict, history)


def check_subject(
    statement: Statement,
    *,
    namespace: str,
    model: str,
    manifest_digest: str,
    policy: PolicyRef,
    policy_digest: str,
) -> None:
    """Raise SubjectMismatch unless the statement is about exactly this model and policy."""
    actual = (statement.namespace, statement.model, statement.manifest_digest)
    if actual != (namespace, model, manifest_digest):
        raise SubjectMismatch(
            f"certificate is for model {statement.namespace}/{statement.model} "
            f"with manifest {statement.manifest_digest}"
        )
    if (statement.policy, statement.policy_digest) != (policy, policy_digest):
        raise SubjectMismatch(
            f"certificate is for {statement.policy} as it was ({statement.policy_digest})"
        )
