"""Whether a model holds a policy, and this member's vote that it does. Pure.

A vote is a certificate with one signature. It is a function of the documents, of the time that the
asker chose and of what all members have in common: so the votes of several are on the same bytes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import certificate, limits
from quorate.consensus.epoch import Epoch, material_of
from quorate.errors import InvalidInput, Unavailable
from quorate.evidence.intoto import Document
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.policy.exceptions import lifted
from quorate.policy.server_images import ServerImages
from quorate.ports import Signer, Sigstore
from quorate_consensus.epochs import Epochs
from quorate_consensus.observed import ObservedModel

DENIED_SECONDS = 60
"""How long a denial is remembered. Time alone can turn it, but only if evidence is dated ahead of
this clock; and a model that is denied must not be able to keep the member busy."""


@dataclass(frozen=True, slots=True)
class Committee:
    """What a member judges and signs with: epochs, key, configured lives in seconds.

    The lives must be the same at all members, or their signatures are on different bytes. Without
    ``sigstore``, keyless signatures and trusted timestamps count for nothing.
    """

    epochs: Epochs
    signer: Signer
    certificate_life: int
    state_life: int
    sigstore: Sigstore | None = None
    receipt_life: int = limits.RECEIPT_LIFE

    def __post_init__(self) -> None:
        if not 1 <= self.certificate_life <= limits.CERTIFICATE_LIFE:
            raise InvalidInput(f"must be 1 to {limits.CERTIFICATE_LIFE}", field="certificate life")
        if not 1 <= self.state_life <= limits.STATE_LIFE:
            raise InvalidInput(f"must be 1 to {limits.STATE_LIFE}", field="state life")
        if not 1 <= self.receipt_life <= limits.RECEIPT_LIFE:
            raise InvalidInput(f"must be 1 to {limits.RECEIPT_LIFE}", field="receipt life")

    def signing_epoch(self) -> Epoch:
        """The epoch in force, in whose name this member signs.

        Raises Unavailable if its word counts for nothing in it: with another key in its seat, or
        none, or under quarantine.
        """
        head, key_id = self.epochs.head, self.signer.public_key.key_id
        seat = next((one for one in head.record.seats if material_of(one.key) == key_id), None)
        if seat is None or seat.quarantined:
            why = "no seat with this member's key" if seat is None else "it under quarantine"
            raise Unavailable(
                f"epoch {head.record.number} has {why}: nobody would believe what it signs",
                fix="ask the other members; start this one with the key that its seat names",
            )
        return head


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model stands under a policy, and until when that need not be looked at again."""

    judged_by: tuple[str, str]
    model_digest: str
    evaluation: Evaluation
    renew_at: datetime
    remembered: tuple[Document, ...] = ()
    """Earlier failures it was judged with."""

    @property
    def allowed(self) -> bool:
        """Whether every requirement holds."""
        return self.evaluation.verdict.allowed

    def is_about(self, policy: CompiledPolicy, model: ObservedModel) -> bool:
        """Whether this was judged on exactly this policy and model."""
        return (self.judged_by, self.model_digest) == (policy.judged_by, model.digest)


def evaluated(
    cluster_id: str,
    sigstore: Sigstore | None,
    policy: CompiledPolicy,
    model: ObservedModel,
    now: datetime,
    remembered: tuple[Document, ...] = (),
    servers: ServerImages | None = None,
) -> Evaluation:
    """Evaluate the evidence from its documents, with the exceptions that count now."""
    workload = (model.namespace, model.name, model.model.spec.manifest_digest)
    approved = lifted(model.exceptions, policy, workload, cluster_id, now)
    return evaluate(policy, model.model, now, remembered, sigstore, approved, servers)


@dataclass(frozen=True, slots=True)
class Vote:
    """What a member answers who asks for its vote: a certificate with its signature, or none."""

    policy_digest: str
    evaluation: Evaluation
    renew_at: datetime
    """When another vote would say more, or last longer."""
    envelope: str | None = None
    expires_at: datetime | None = None


def judge(
    committee: Committee,
    policy: CompiledPolicy,
    model: ObservedModel,
    now: datetime,
    remembered: tuple[Document, ...] = (),
    servers: ServerImages | None = None,
) -> Standing:
    """Evaluate the evidence, for what this member tells pods.

    ``remembered`` are statements that failed these bytes before, which the model may withhold.
    ``servers``: see evaluate.
    """
    cluster_id = committee.epochs.head.cluster_id
    evaluation = evaluated(cluster_id, committee.sigstore, policy, model, now, remembered, servers)
    renew_at = _renewal(evaluation, now, committee.certificate_life)
    return Standing(policy.judged_by, model.digest, evaluation, renew_at, remembered)


def vote(
    committee: Committee,
    policy: CompiledPolicy,
    model: ObservedModel,
    issued_at: datetime,
    remembered: tuple[Document, ...] = (),
    servers: ServerImages | None = None,
) -> Vote:
    """Evaluate the evidence as of ``issued_at``, and sign that it is enough if it is.

    ``remembered``, ``servers``: as for :func:`judge`; ``servers`` were judged at ``issued_at``.
    """
    epoch, life = committee.signing_epoch(), committee.certificate_life
    evaluation = evaluated(
        epoch.cluster_id, committee.sigstore, policy, model, issued_at, remembered, servers
    )
    renew_at = _renewal(evaluation, issued_at, life)
    if not evaluation.verdict.allowed:
        return Vote(policy.digest, evaluation, renew_at)
    statement = certificate.Statement(
        cluster_id=epoch.cluster_id,
        epoch=epoch.digest_text,
        namespace=model.namespace,
        model=model.name,
        manifest_digest=model.model.spec.manifest_digest,
        policy=policy.ref,
        policy_digest=policy.digest,
        evidence=evaluation.evidence,
        issued_at=issued_at,
        expires_at=_expiry(evaluation, issued_at, life),
        servers=evaluation.servers.signed,
        servers_unread=evaluation.servers.unread,
    )
    envelope = certificate.issue(statement, [committee.signer]).decode("ascii")
    return Vote(policy.digest, evaluation, renew_at, envelope, statement.expires_at)


def _expiry(evaluation: Evaluation, issued_at: datetime, life: int) -> datetime:
    expires_at, ends = issued_at + timedelta(seconds=life), evaluation.not_after
    return expires_at if ends is None else min(expires_at, ends)


def _renewal(evaluation: Evaluation, now: datetime, life: int) -> datetime:
    """At half of the life; what evidence bounds lives no longer for being renewed."""
    if not evaluation.verdict.allowed:
        return now + timedelta(seconds=DENIED_SECONDS)
    return min(now + timedelta(seconds=life) / 2, _expiry(evaluation, now, life))
