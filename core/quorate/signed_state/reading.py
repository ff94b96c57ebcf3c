"""One member's word on a pod, verified with every certificate in it."""

from dataclasses import dataclass
from datetime import datetime

from quorate import certificate, limits, vouched
from quorate.consensus.history import History
from quorate.errors import InvalidInput, SignatureError, SubjectMismatch
from quorate.signed_state.statement import (
    FORM,
    PodState,
    PolicyState,
    StateDenial,
    StateDenied,
    StateStatement,
)
from quorate.statements import check_life, check_time


@dataclass(frozen=True, slots=True)
class Word:
    """What one member said of a pod, verified: ``state``, or else ``denial``.

    ``member`` is the id of its key, ``epoch`` the digest of the epoch in whose name it spoke.
    """

    member: str
    epoch: str
    issued_at: datetime
    state: PodState | None
    denial: StateDenial | None


def read(envelope: bytes, history: History, pod_uid: str, now: datetime) -> Word:
    """Verify one member's word on the pod ``pod_uid``, with every certificate in it.

    A state lives as long as its shortest part. Raises SignatureError unless exactly one member of
    its epoch signed it, SubjectMismatch for another pod, cluster or model or an epoch that is not
    known, Expired, or InvalidInput. That the member denies is no error.
    """
    found = vouched.verify(envelope, FORM, history)
    statement = found.statement
    if len(found.voters) != 1:
        raise SignatureError("must be one member's", field="signatures")
    if statement.pod.uid != pod_uid:
        raise SubjectMismatch(f"state is for pod {statement.pod.uid}")
    check_life(statement, "state", limits.STATE_LIFE)
    check_time(statement, now, "state")
    denial, state = statement.denial, None
    if denial is None:
        try:
            state = _allowed(statement, history, now)
        except StateDenied as denied:
            denial = StateDenial(denied.reason, denied.message)
    (member,) = found.voters
    return Word(member, statement.epoch, statement.issued_at, state, denial)


def _allowed(statement: StateStatement, history: History, now: datetime) -> PodState:
    """What a statement without a denial allows. Raises as read, and StateDenied."""
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
