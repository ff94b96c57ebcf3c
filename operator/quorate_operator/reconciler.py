"""One look at one object: gather what was observed, plan, carry out."""

from datetime import datetime

from quorate.ports import Clock
from quorate_operator.effects.dispatch import Effects
from quorate_operator.kinds import ATTESTED_MODEL, POD, Key, policy_key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import EmitEvent, Evaluate
from quorate_operator.reconcile.model import SeenModel, plan_model
from quorate_operator.reconcile.pod import HELD, SeenPod, plan_pod
from quorate_operator.reconcile.policy import plan_policy
from quorate_operator.world import World

ROUNDS_MAX = 4
"""Plans in one look at a model: ask, then write, and again if it changed meanwhile."""


class Reconciler:
    """Looks at objects of the world, by their keys."""

    def __init__(self, world: World, effects: Effects, clock: Clock, metrics: Metrics) -> None:
        self._world = world
        self._effects = effects
        self._clock = clock
        self._metrics = metrics

    async def reconcile(self, key: Key) -> datetime | None:
        """Look at one object; returns when to look again if nothing changes before.

        Raises QuorateError if something must be tried again.
        """
        if key.kind == POD.name:
            await self._pod(key)
            return None
        if key.kind == ATTESTED_MODEL.name:
            return await self._model(key)
        await self._policy(key)
        return None

    async def _model(self, key: Key) -> datetime | None:
        for _ in range(ROUNDS_MAX):
            seen = self._see_model(key)
            if seen is None:
                self._effects.questions.forget(key)
                return None
            plan = plan_model(seen, self._clock.now())
            for action in plan.actions:
                await self._effects.carry_out(action)
            if not any(isinstance(action, Evaluate) for action in plan.actions):
                return plan.look_again_at
        return self._clock.now()

    def _see_model(self, key: Key) -> SeenModel | None:
        known = self._world.get(key)
        if known is None or known.model is None:
            return None
        policies = self._world.compiled()
        asking = [policy.ref for policy in policies if policy.server_signers is not None]
        images = {ref: found for ref in asking if (found := self._world.get(policy_key(ref)))}
        questions = self._effects.questions
        questions.keep_only(key, {policy.ref for policy in policies})
        return SeenModel(
            key=key,
            known=known,
            view=known.model,
            policies=policies,
            broken=self._world.broken(),
            outcomes=questions.outcomes(key),
            enforced=self._world.enforces(key.namespace),
            served=self._world.pods.serve(key.namespace, key.name),
            images=images,
        )

    async def _policy(self, key: Key) -> None:
        known = self._world.get(key)
        if known is not None:
            for action in plan_policy(key, known, self._clock.now()):
                await self._effects.carry_out(action)

    async def _pod(self, key: Key) -> None:
        pod = self._world.pods.get(key)
        if pod is None:
            return
        seen = SeenPod(key, pod, self._world.enforces(key.namespace))
        for action in plan_pod(seen, self._world.store.snapshot(), self._clock.now()):
            if isinstance(action, EmitEvent) and action.action == HELD:
                self._metrics.held.labels(action.reason).inc()
            await self._effects.carry_out(action)
