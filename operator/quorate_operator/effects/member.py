"""The members, as the operator asks them to judge, and whether it is worth asking at all now."""

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from quorate import certificate
from quorate.certificate import PolicyRef
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import QuorateError
from quorate.policy.compiled import CompiledPolicy
from quorate.ports import Clock
from quorate.verdict import Reason
from quorate_io.evaluation import MEMBER_UNAVAILABLE
from quorate_io.operator_client import OperatorClient
from quorate_operator.kinds import Key, policy_key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import Evaluate
from quorate_operator.reconcile.outcome import (
    Outcome,
    Question,
    answered,
    unanswered,
)
from quorate_operator.relayed import without_certificates
from quorate_operator.world import World

Outcomes = dict[PolicyRef, Outcome]
RETRY_SPACING = timedelta(seconds=10)

log = logging.getLogger(__name__)


class Questions:
    """Asks all members, and remembers what they last said together about each model and policy."""

    def __init__(
        self, client: OperatorClient, world: World, clock: Clock, metrics: Metrics
    ) -> None:
        self._client = client
        self._world = world
        self._clock = clock
        self._metrics = metrics
        self._outcomes: dict[Key, Outcomes] = {}
        self._retried_at: datetime | None = None
        self.hopeless: Callable[[], str] = lambda: ""
        """Why no call is made: too few members are there, as far as anybody knows. Empty if not."""
        self.followed: Callable[[History], None] = lambda history: None
        """Told of the epochs, when an answer is of one that is not known here."""

    def outcomes(self, model: Key) -> Outcomes:
        """The last outcome by policy."""
        return self._outcomes.get(model, {})

    def forget(self, model: Key) -> None:
        """The model is gone."""
        self._outcomes.pop(model, None)

    def keep_only(self, model: Key, policies: set[PolicyRef]) -> None:
        """Forget what was asked about policies that are no longer there."""
        known = self._outcomes.get(model, {})
        for ref in set(known) - policies:
            del known[ref]

    def unanswered(self) -> set[Key]:
        """Models about which a question was not answered."""
        return {
            model
            for model, outcomes in self._outcomes.items()
            if any(outcome.failure for outcome in outcomes.values())
        }

    def retry(self) -> set[Key]:
        """Have asked now what was not answered, however long it was to wait; returns its models.

        Not more often than every RETRY_SPACING: a member that comes and goes hurries nobody.
        """
        now = self._clock.now()
        if self._retried_at is None or now - self._retried_at >= RETRY_SPACING:
            self._retried_at = now
            for outcomes in self._outcomes.values():
                for ref, outcome in outcomes.items():
                    if outcome.failure:
                        outcomes[ref] = replace(outcome, ask_at=min(now, outcome.ask_at))
        return self.unanswered()

    def reconsider(self, history: History) -> set[Key]:
        """Forget answers whose certificates have lost their quorum; returns their models."""
        lost = set()
        for model, outcomes in self._outcomes.items():
            for ref, outcome in list(outcomes.items()):
                held = outcome.answer.certificate if outcome.answer else None
                if held is not None and not certificate.stands(held, history):
                    del outcomes[ref]
                    lost.add(model)
        return lost

    async def ask(self, action: Evaluate) -> None:
        """Ask, and remember what came of it. Never raises for what members do."""
        question, document = self._question(action)
        if question is None or document is None:
            return
        previous = self.outcomes(action.model).get(action.policy)
        outcome = await self._outcome(question, document, previous)
        self._count(outcome)
        self._outcomes.setdefault(action.model, {})[action.policy] = outcome

    def _question(self, action: Evaluate) -> tuple[Question | None, dict[str, object] | None]:
        known = self._world.get(action.model)
        policy = self._world.get(policy_key(action.policy))
        if known is None or policy is None or not isinstance(policy.policy, CompiledPolicy):
            return None, None
        signatures = policy.documents if policy.policy.server_signers is not None else ""
        return Question(action.model, known, policy.policy, signatures), policy.relayed

    async def _outcome(
        self, question: Question, document: dict[str, object], previous: Outcome | None
    ) -> Outcome:
        def failed(why: str, reason: str, now: datetime) -> Outcome:
            chance = random.random()  # noqa: S311 - spreads load only
            return unanswered(question, why, reason, previous, now, chance)

        if why := self.hopeless():
            return failed(why, MEMBER_UNAVAILABLE, self._clock.now())
        # All members sign one statement, so its time is ours to say.
        issued_at = self._clock.now().replace(microsecond=0)
        model = without_certificates(question.known.relayed)
        try:
            said = await self._client.evaluate(document, model, issued_at)
        except QuorateError as error:
            return failed(str(error), MEMBER_UNAVAILABLE, self._clock.now())
        if said.failure:
            return failed(said.failure, said.reason, self._clock.now())
        try:
            return answered(question, said, self._world.history, self._clock.now(), previous)
        except EpochUnknown:
            log.info("a certificate is of an epoch that is not known here: following")
        try:
            self.followed(await self._client.history(newer=True))
            return answered(question, said, self._world.history, self._clock.now(), previous)
        except QuorateError as error:
            return failed(str(error), Reason.CERTIFICATE_INVALID, self._clock.now())

    def _count(self, outcome: Outcome) -> None:
        if outcome.failure:
            log.warning("not judged under %s: %s", outcome.policy_digest, outcome.failure)
        certified = outcome.answer is not None and outcome.answer.certificate is not None
        kind = "unanswered" if outcome.failure else "certified" if certified else "denied"
        self._metrics.evaluations.labels(kind).inc()
