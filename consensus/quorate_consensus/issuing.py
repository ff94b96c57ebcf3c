"""Whether to certify that a model holds a policy, and for how long. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate import certificate, limits
from quorate.errors import InvalidInput
from quorate.evidence.intoto import Document
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.policy.exceptions import lifted
from quorate.policy.server_images import ServerImages
from quorate.ports import Signer, Sigstore
from quorate.statements import encode
from quorate_consensus.epochs import Epochs
from quorate_consensus.observed import ObservedModel

DENIED_SECONDS = 60
"""How long a denial is remembered. Time alone can turn it, but only if evidence is dated ahead of
this clock; and a model that is denied must not be able to keep the member busy."""


@dataclass(frozen=True, slots=True)
class Committee:
    """What a member judges and signs with: epochs, key, configured lives in seconds.

    Without ``sigstore``, keyless signatures and trusted timestamps count for nothing.
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


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate this member issued."""

    envelope: str
    certificate_id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model stands under a policy, and until when that need not be looked at again."""

    judged_by: tuple[str, str]
    model_digest: str
    evaluation: Evaluation
    certificate: Issued | None
    renew_at: datetime
    remembered: tuple[Document, ...] = ()
    """Earlier failures it was judged with."""

    @property
    def policy_digest(self) -> str:
        """The policy it was judged under, as it was."""
        return self.judged_by[0]

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


def judge(
    committee: Committee,
    policy: CompiledPolicy,
    model: ObservedModel,
    now: datetime,
    previous: Standing | None = None,
    remembered: tuple[Document, ...] = (),
    servers: ServerImages | None = None,
) -> Standing:
    """Evaluate the evidence, and certify it if every requirement holds.

    ``remembered`` are statements that failed these bytes before, which the model may withhold.
    A certificate of ``previous`` for the same policy and model is kept if a new one would not live
    longer, as when the age of the evidence bounds both. ``servers``: see evaluate.
    """
    cluster_id = committee.epochs.head.cluster_id
    evaluation = evaluated(cluster_id, committee.sigstore, policy, model, now, remembered, servers)
    if not evaluation.verdict.allowed:
        renew_at = now + timedelta(seconds=DENIED_SECONDS)
        return Standing(policy.judged_by, model.digest, evaluation, None, renew_at, remembered)
    expires_at = _expiry(now, committee.certificate_life, evaluation.not_after)
    held = None
    if previous and previous.is_about(policy, model):
        same = previous.evaluation.servers.signed == evaluation.servers.signed
        held = previous.certificate if same else None
    if held is None or held.expires_at < expires_at:
        held = _issue(committee, policy, model, evaluation, now, expires_at)
    half = now + timedelta(seconds=committee.certificate_life) / 2
    renew_at = min(half, held.expires_at)
    return Standing(policy.judged_by, model.digest, evaluation, held, renew_at, remembered)


def _expiry(now: datetime, life: int, not_after: datetime | None) -> datetime:
    expires_at = now + timedelta(seconds=life)
    return expires_at if not_after is None else min(expires_at, not_after)


def _issue(
    committee: Committee,
    policy: CompiledPolicy,
    model: ObservedModel,
    evaluation: Evaluation,
    now: datetime,
    expires_at: datetime,
) -> Issued:
    epoch = committee.epochs.head
    statement = certificate.Statement(
        cluster_id=epoch.cluster_id,
        epoch=epoch.digest_text,
        namespace=model.namespace,
        model=model.name,
        manifest_digest=model.model.spec.manifest_digest,
        policy=policy.ref,
        policy_digest=policy.digest,
        evidence=evaluation.evidence,
        issued_at=now,
        expires_at=expires_at,
        servers=evaluation.servers.signed,
        servers_unread=evaluation.servers.unread,
    )
    envelope = certificate.issue(statement, [committee.signer]).decode("ascii")
    certificate_id = f"sha256:{hashlib.sha256(encode(statement)).hexdigest()}"
    return Issued(envelope, certificate_id, now, expires_at)
