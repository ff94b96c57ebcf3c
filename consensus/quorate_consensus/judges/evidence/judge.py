"""What the evidence says of the model that acts, or that asks to be certified."""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Final

from quorate.consensus.request import ADMISSION, Request
from quorate.consensus.wire import REASONS_MAX, SCORE_MAX, Verdict
from quorate.errors import QuorateError
from quorate.evidence.intoto import Document
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import Evaluation
from quorate.ports import Clock, Sigstore
from quorate_consensus.epochs import Epochs
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.issuing import evaluated
from quorate_consensus.judged_images import JudgedImages
from quorate_consensus.judges.evidence import statement as statements
from quorate_consensus.judges.evidence.known import Known
from quorate_consensus.judges.evidence.statement import Difference
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_consensus.observed import ObservedModel

NAME: Final = "evidence"
VERSION: Final = 1
DEADLINE_MS: Final = 500
"""Signatures take milliseconds each, and a policy may want many."""
KEPT_SECONDS: Final = 15
"""How long a judgement of an acting model is used again. An ask to certify never uses one."""
KEPT_MAX: Final = 4_096


class Lacking(StrEnum):
    """What the member does not know. Not hard: it may know it a moment later. Stable words."""

    MODEL = "ModelUnknown"
    UNREADABLE = "ModelUnreadable"
    POLICY = "PolicyUnknown"
    BROKEN = "PolicyBroken"
    FLOOR = "NoClusterPolicyNamed"
    MANIFEST = "OtherManifest"


@dataclass(frozen=True, slots=True)
class _Kept:
    evaluation: Evaluation
    remembered: tuple[Document, ...]
    made_at: datetime
    until: datetime


class EvidenceJudge:
    """Verifies on worker threads what it looked up on the event loop."""

    identity = Identity(NAME, VERSION, "")
    deadline_ms = DEADLINE_MS

    def __init__(
        self,
        known: Known,
        epochs: Epochs,
        clock: Clock,
        workers: Executor,
        sigstore: Sigstore | None = None,
        failed_gates: FailedGates | None = None,
    ) -> None:
        self._known = known
        self._epochs = epochs
        self._clock = clock
        self._workers = workers
        self._sigstore = sigstore
        self._failed_gates = failed_gates or FailedGates()
        self._images = JudgedImages(sigstore)
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._lock = Lock()

    def at_once(self, request: Request) -> Opinion | None:
        """As :meth:`judge`, if nothing has to be verified for it."""
        found = self._look_up(request)
        if isinstance(found, Lacking):
            return Opinion(Verdict.DENY, SCORE_MAX, (found.value,))
        if request.capability == ADMISSION:
            return None
        now = self._clock.now()
        evaluations = [self._used_again(policy, found[1], now) for policy in found[0]]
        known = [evaluation for evaluation in evaluations if evaluation is not None]
        return _holds(known) if len(known) == len(evaluations) else None

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """Approve if every policy that the request names holds for its model."""
        found = self._look_up(request)
        if isinstance(found, Lacking):
            return Opinion(Verdict.DENY, SCORE_MAX, (found.value,))
        policies, model = found
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, self._verify, request, policies, model)

    def _look_up(
        self, request: Request
    ) -> tuple[tuple[CompiledPolicy, ...], ObservedModel] | Lacking:
        principal = request.principal
        model = self._known.model(principal.namespace, principal.model)
        if model is None:
            return Lacking.MODEL
        if not isinstance(model, ObservedModel) or model.unread:
            return Lacking.UNREADABLE
        if model.model.spec.manifest_digest != principal.manifest_digest:
            return Lacking.MANIFEST
        if self._known.is_broken(principal.namespace):
            return Lacking.BROKEN
        named = set(principal.policy_digests)
        policies = tuple(p for p in self._known.policies(principal.namespace) if p.digest in named)
        if {policy.digest for policy in policies} != named:
            return Lacking.POLICY
        certifies = request.capability == ADMISSION
        if not certifies and not any(policy.is_cluster for policy in policies):
            return Lacking.FLOOR
        return policies, model

    def _verify(
        self, request: Request, policies: tuple[CompiledPolicy, ...], model: ObservedModel
    ) -> Opinion:
        now = self._clock.now()
        if request.capability == ADMISSION:
            return self._certifiable(request, policies, model, now)
        return _holds([self._standing(policy, model, now) for policy in policies])

    def _certifiable(
        self,
        request: Request,
        policies: tuple[CompiledPolicy, ...],
        model: ObservedModel,
        now: datetime,
    ) -> Opinion:
        try:
            statement = statements.read(request)
        except QuorateError:
            return _opinion([Difference.MALFORMED.value])
        if len(policies) != 1:
            return _opinion([Difference.OTHER_SUBJECT.value])
        evaluation = self._evaluated(policies[0], model, now)
        if not evaluation.verdict.allowed:
            reasons = [denial.reason.value for denial in evaluation.verdict.denials]
            return _opinion(list(dict.fromkeys(reasons)))
        found = statements.difference(
            statement, request, self._epochs.head, policies[0], evaluation, now
        )
        return _opinion([found.value] if found else [])

    def _standing(self, policy: CompiledPolicy, model: ObservedModel, now: datetime) -> Evaluation:
        """An evaluation, or the one of a moment ago of the very same documents."""
        known = self._used_again(policy, model, now)
        if known is not None:
            return known
        remembered = self._remembered(policy, model)
        evaluation = self._evaluated(policy, model, now)
        until = now + timedelta(seconds=KEPT_SECONDS)
        until = min(until, evaluation.not_after) if evaluation.not_after else until
        with self._lock:
            self._kept[_key(policy, model)] = _Kept(evaluation, remembered, now, until)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return evaluation

    def _used_again(
        self, policy: CompiledPolicy, model: ObservedModel, now: datetime
    ) -> Evaluation | None:
        """The evaluation of a moment ago of the very same documents, if there is one."""
        with self._lock:
            kept = self._kept.get(_key(policy, model))
        if kept is None or kept.remembered is not self._remembered(policy, model):
            return None
        return kept.evaluation if kept.made_at <= now < kept.until else None

    def _remembered(self, policy: CompiledPolicy, model: ObservedModel) -> tuple[Document, ...]:
        return self._failed_gates.about(policy, model.model.spec.manifest_digest)

    def _evaluated(self, policy: CompiledPolicy, model: ObservedModel, now: datetime) -> Evaluation:
        remembered = self._remembered(policy, model)
        servers = self._images.under(policy, now)
        cluster_id = self._epochs.head.cluster_id
        return evaluated(cluster_id, self._sigstore, policy, model, now, remembered, servers)


def _key(policy: CompiledPolicy, model: ObservedModel) -> tuple[object, ...]:
    return policy.judged_by, model.namespace, model.name, model.digest


def _holds(evaluations: list[Evaluation]) -> Opinion:
    denials = (denial for one in evaluations for denial in one.verdict.denials)
    return _opinion(list(dict.fromkeys(denial.reason.value for denial in denials)))


def _opinion(reasons: list[str]) -> Opinion:
    """Hard if denied: what is missing is missing for everybody."""
    if not reasons:
        return Opinion(Verdict.APPROVE, 0)
    return Opinion(Verdict.DENY, SCORE_MAX, tuple(reasons[:REASONS_MAX]), hard=True)
