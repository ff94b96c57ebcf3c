"""Judgements, each made once: evaluation on worker threads, shared by everybody who waits for it.

Signatures take milliseconds, and one event loop serves thousands of sidecars. A judgement is kept
until its ``renew_at`` or until the policy, the model or what failed its bytes changes. A vote is
made of the documents and the time that its asker chose, and is not kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from quorate.certificate import Certificate
from quorate.errors import Unavailable
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import Evaluation
from quorate.ports import Clock
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.issuing import Committee, Standing, Vote, judge, vote
from quorate_consensus.judged_images import JudgedImages
from quorate_consensus.ledger import Ledger, Subject
from quorate_consensus.observed import ObservedModel

STANDINGS_MAX = 50_000
"""Judgements kept. One that was dropped is made again when somebody asks."""
RUNNING_MAX = 1_024
"""Judgements that may be waiting for a worker. More are refused: shed, not queued for ever."""
RUNNING_PER_NAMESPACE = 256
"""Of these, for models of one namespace: a tenant with costly models delays itself first."""
SWEEP_SECONDS = 300.0


class Overloaded(Unavailable):
    """Too much is waiting already. Asking later helps."""


class Meter(Protocol):
    """What the judge reports as it works."""

    def judged(self, allowed: bool, seconds: float) -> None:
        """A judgement was made; it took ``seconds`` of CPU time."""

    def revoked(self, count: int) -> None:
        """This member no longer supports so many certificates."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A judgement being made."""

    judged_by: tuple[str, str]
    model_digest: str
    task: asyncio.Task[Standing]

    def is_about(self, policy: CompiledPolicy, model: ObservedModel) -> bool:
        return (self.judged_by, self.model_digest) == (policy.judged_by, model.digest)


class Judge:
    """Gives the standing of a model under a policy. For one event loop."""

    def __init__(
        self,
        committee: Committee,
        clock: Clock,
        workers: Executor,
        meter: Meter,
        timer: Callable[[], float],
        failed_gates: FailedGates | None = None,
    ) -> None:
        self._committee = committee
        self._clock = clock
        self._workers = workers
        self._meter = meter
        self._timer = timer
        self._standings: OrderedDict[Subject, Standing] = OrderedDict()
        self._running: dict[Subject, _Running] = {}
        self._ledger = Ledger()
        self._failed_gates = failed_gates or FailedGates()
        self._images = JudgedImages(committee.sigstore)

    async def standing(self, policy: CompiledPolicy, model: ObservedModel) -> Standing:
        """How the model stands now. Raises Overloaded if too many judgements are waiting."""
        subject = (model.namespace, model.name, policy.ref)
        while True:
            held = self._standings.get(subject)
            if held and held.is_about(policy, model) and self._is_current(held, policy, model):
                self._standings.move_to_end(subject)
                return held
            running = self._running.get(subject)
            if running is None:
                running = self._start(subject, policy, model)
            if running.is_about(policy, model):
                # Others may wait for the same judgement: whoever gives up must not end it.
                return await asyncio.shield(running.task)
            # Another version is being judged. One after the other: the last one judged is the one
            # whose denial revokes.
            await asyncio.wait({running.task})

    def _is_current(self, held: Standing, policy: CompiledPolicy, model: ObservedModel) -> bool:
        # What failed the same bytes elsewhere since then counts at once.
        known = self._failed_gates.about(policy, model.model.spec.manifest_digest)
        return held.remembered is known and self._clock.now() < held.renew_at

    def _start(self, subject: Subject, policy: CompiledPolicy, model: ObservedModel) -> _Running:
        own = sum(1 for namespace, _, _ in self._running if namespace == subject[0])
        if len(self._running) >= RUNNING_MAX or own >= RUNNING_PER_NAMESPACE:
            raise Overloaded("too many models are waiting to be judged", fix="ask again later")
        task = asyncio.create_task(self._judge(subject, policy, model))
        running = self._running[subject] = _Running(policy.judged_by, model.digest, task)
        task.add_done_callback(lambda _: self._running.pop(subject, None))
        return running

    async def vote(self, policy: CompiledPolicy, model: ObservedModel, issued_at: datetime) -> Vote:
        """This member's vote as of ``issued_at``. How many at once is the caller's to bound."""
        loop = asyncio.get_running_loop()
        work = partial(self._vote, policy, model, issued_at)
        found, seconds = await loop.run_in_executor(self._workers, work)
        self._judged((model.namespace, model.name, policy.ref), found.evaluation, seconds)
        return found

    def note(self, certificates: Iterable[Certificate]) -> None:
        """Remember certificates that are out, so that they can be revoked."""
        now = self._clock.now()
        self._count(sum(self._ledger.noted(one, now) for one in certificates))

    def revoked(self, model: ObservedModel, policies: Sequence[CompiledPolicy]) -> tuple[str, ...]:
        """Ids of unexpired certificates that the model, denied under ``policies``, once got."""
        subjects: list[Subject] = [(model.namespace, model.name, p.ref) for p in policies]
        return self._ledger.out(subjects, self._clock.now())

    async def sweep_for_ever(self) -> None:
        """Forget, from time to time, what has expired."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._ledger.sweep(self._clock.now())
            await asyncio.to_thread(self._failed_gates.sweep, self._clock.now())

    async def _judge(
        self, subject: Subject, policy: CompiledPolicy, model: ObservedModel
    ) -> Standing:
        loop = asyncio.get_running_loop()
        standing, seconds = await loop.run_in_executor(
            self._workers, partial(self._work, policy, model)
        )
        self._judged(subject, standing.evaluation, seconds)
        self._record(subject, standing)
        return standing

    def _work(self, policy: CompiledPolicy, model: ObservedModel) -> tuple[Standing, float]:
        # The time is read here, not when the work was queued.
        begin, now = self._timer(), self._clock.now()
        digest = model.model.spec.manifest_digest
        remembered = self._failed_gates.about(policy, digest)
        servers = self._images.under(policy, now)
        standing = judge(self._committee, policy, model, now, remembered, servers)
        self._failed_gates.remember(policy, digest, standing.evaluation.failures, now)
        return standing, self._timer() - begin

    def _vote(
        self, policy: CompiledPolicy, model: ObservedModel, issued_at: datetime
    ) -> tuple[Vote, float]:
        begin = self._timer()
        digest = model.model.spec.manifest_digest
        remembered = self._failed_gates.about(policy, digest)
        servers = self._images.exactly(policy, issued_at)
        found = vote(self._committee, policy, model, issued_at, remembered, servers)
        failures = found.evaluation.failures
        self._failed_gates.remember(policy, digest, failures, self._clock.now())
        return found, self._timer() - begin

    def _record(self, subject: Subject, standing: Standing) -> None:
        self._standings[subject] = standing
        self._standings.move_to_end(subject)
        if len(self._standings) > STANDINGS_MAX:
            self._standings.popitem(last=False)

    def _judged(self, subject: Subject, evaluation: Evaluation, seconds: float) -> None:
        allowed = evaluation.verdict.allowed
        self._meter.judged(allowed, seconds)
        self._count(self._ledger.judged(subject, self._clock.now(), allowed=allowed))

    def _count(self, revoked: int) -> None:
        if revoked:
            self._meter.revoked(revoked)
