"""Take keys from the queues and look at them. A look that fails comes back later."""

import asyncio
import logging
import time

from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate_operator.intake import Queues
from quorate_operator.kinds import Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconciler import Reconciler
from quorate_operator.workqueue import WorkQueue
from quorate_operator.world import World

WORKERS = {"policies": 2, "models": 16, "pods": 8}
"""Looks at once, by queue. A member lets 32 of the operator's requests in."""

log = logging.getLogger(__name__)


class Workers:
    """All workers of all queues."""

    def __init__(
        self, world: World, queues: Queues, reconciler: Reconciler, clock: Clock, metrics: Metrics
    ) -> None:
        self._world = world
        self._queues = queues
        self._reconciler = reconciler
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            for queue in self._queues.all():
                for _ in range(WORKERS[queue.name]):
                    group.create_task(self._work(queue))

    async def _work(self, queue: WorkQueue) -> None:
        while True:
            key = await queue.get()
            self._metrics.queue.labels(queue.name).set(len(queue))
            begun = time.perf_counter()
            outcome = await self._look(queue, key)
            seconds = time.perf_counter() - begun
            self._metrics.reconciles.labels(queue.name, outcome).inc()
            self._metrics.reconcile_seconds.labels(queue.name).observe(seconds)
            self._refill(queue)

    async def _look(self, queue: WorkQueue, key: Key) -> str:
        try:
            look_again_at = await self._reconciler.reconcile(key)
        except QuorateError as error:
            log.warning("%s: %s", key, error)
        except Exception:
            # A fault in one look must not end all others; the key comes back, ever later.
            log.exception("%s: the look at it failed", key)
        else:
            queue.done(key)
            if look_again_at is not None:
                seconds = (look_again_at - self._clock.now()).total_seconds()
                queue.add_in(key, max(0.0, seconds))
            return "done"
        queue.failed(key)
        return "failed"

    def _refill(self, queue: WorkQueue) -> None:
        """After an overflow: once the queue has drained, everything is looked at again."""
        if queue.overflowed and len(queue) == 0:
            queue.overflowed = False
            self._queues.add(key for key in self._world.resync() if self._queues.of(key) is queue)
