"""The signed state: what a committee tells one pod's containers, and how they check it.

A sidecar trusts neither the API server nor the channel. It believes a state that members of an
epoch it knows signed, that is about this very pod, that is fresh, and whose certificates verify.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import msgspec

from quorate import certificate, limits, names, vouched
from quorate.certificate import PolicyRef
from quorate.consensus.history import History
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence import dsse
from quorate.policy.runtime import RuntimeRules
from quorate.ports import Signer
from quorate.statements import (
    DigestText,
    Identifier,
    Instant,
    check_life,
    check_time,
    encode,
)


class PodSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The pod a state is for."""

    uid: Identifier
    namespace: Identifier
    name: Identifier
    model: Identifier


class PolicyState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One policy that selects the pod, and the certificate that the model holds it."""

    policy: PolicyRef
    policy_digest: DigestText
    certificate: Annotated[str, msgspec.Meta(max_length=32_768)]
    """A DSSE envelope; empty if there is none."""


class StateDenial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Why the committee denies this pod."""

    reason: Identifier
    message: Annotated[str, msgspec.Meta(max_length=4096)]


class StateStatement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What is signed. ``rules`` is None exactly if ``denial`` is not."""

    cluster_id: Identifier
    epoch: DigestText
    pod: PodSubject
    manifest_digest: DigestText | None
    rules: RuntimeRules | None
    policies: Annotated[tuple[PolicyState, ...], msgspec.Meta(max_length=limits.POLICIES_PER_POD)]
    revoked: Annotated[tuple[DigestText, ...], msgspec.Meta(max_length=1024)]
    """Ids of certificates that no longer count although they have not expired."""
    denial: StateDenial | None
    issued_at: Instant
    expires_at: Instant
    shard_size: int | None = None
    """How the manifest's files are hashed, in bytes; None: whole. Only a hint, left out if None:
    a wrong one gives another digest than the certified."""


@dataclass(frozen=True, slots=True)
class PodState:
    """A verified state that allows the pod to serve until ``expires_at``."""

    rules: RuntimeRules
    manifest_digest: str
    policy_digests: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    shard_size: int | None = None


class StateDenied(SubjectMismatch):
    """The committee answered, and denies this pod. Kept apart from a state that is not there."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


# Not a strict quorum: with r liars and r members down a pod would hear nothing. Of r + 1 one is
# honest, and a state grants nothing by itself: its certificates are verified one by one.
_FORM: Final = vouched.Form(
    "state", StateStatement, names.STATE_TYPE, limits.STATEMENT_BYTES, vouched.witnessed
)


def issue(statement: StateStatement, signers: Sequence[Signer]) -> bytes:
    """Sign a state; returns the DSSE envelope."""
    check_life(statement, "state", limits.STATE_LIFE)
    return dsse.sign(encode(statement), names.STATE_TYPE, signers)


def verify(envelope: bytes, history: History, pod_uid: str, now: datetime) -> PodState:
    """Verify a state for the pod ``pod_uid``, with every certificate in it.

    The pod state lives as long as its shortest part. Raises StateDenied if the committee denies,
    SignatureError without r + 1 members of its epoch, SubjectMismatch for another pod, cluster or
    model or an epoch that is not known, Expired, or InvalidInput.
    """
    statement = vouched.verify(envelope, _FORM, history).statement
    if statement.pod.uid != pod_uid:
        raise SubjectMismatch(f"state is for pod {statement.pod.uid}")
    check_life(statement, "state", limits.STATE_LIFE)
    check_time(statement, now, "state")
    if statement.denial is not None:
        raise StateDenied(statement.denial.reason, statement.denial.message)
    if statement.rules is None or statement.manifest_digest is None or not statement.policies:
        raise InvalidInput("must have rules, manifestDigest and policies", field="state")
    ends = [_certificate_end(statement, policy, history, now) for policy in statement.policies]
    return PodState(
        rules=statement.rules,
        manifest_digest=statement.manifest_digest,
        policy_digests=tuple(policy.policy_digest for policy in statement.policies),
        issued_at=statement.issued_at,
        expires_at=min(statement.expires_at, *ends),
        shard_size=statement.shard_size,
    )


def _certificate_end(
    statement: StateStatement, policy: PolicyState, history: History, now: datetime
) -> datetime:
    """Verify the certificate for one policy and return when it expires."""
    if not policy.certificate:
        raise StateDenied("CertificateMissing", f"no certificate for {policy.policy}")
    verified = certificate.verify(policy.certificate.encode("utf-8"), history, now)
    certificate.check_subject(
        verified.statement,
        namespace=statement.pod.namespace,
        model=statement.pod.model,
        manifest_digest=statement.manifest_digest or "",
        policy=policy.policy,
        policy_digest=policy.policy_digest,
    )
    if verified.certificate_id in statement.revoked:
        raise StateDenied("Revoked", f"the certificate for {policy.policy} was revoked")
    return verified.statement.expires_at
