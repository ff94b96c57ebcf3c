"""Looks at every pod of every namespace that enforces, for those that never met admission.

It lists instead of watching: pods that name no model are watched by nobody, and a watch may miss
something. A change that the watches bring begins a look at once. Before anything is done about what
was found, the namespaces, the platform's policies and the exceptions are read again, so that no pod
is deleted because a label or an exemption was not heard of yet.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from quorate.admission import escape, pods
from quorate.admission.escape import Escape
from quorate.admission.floor import EXCLUDED_NAMESPACES
from quorate.alerts import Rule
from quorate.errors import QuorateError
from quorate.ports import Clock
from quorate.verdict import Reason
from quorate_operator.effects.api_server import ApiServer, Document
from quorate_operator.effects.marking import MarkingKey
from quorate_operator.escape_look import EscapeLook
from quorate_operator.escape_response import EscapeResponse
from quorate_operator.intake import Intake
from quorate_operator.kinds import (
    ANY_POD,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    SAFETY_EXCEPTION,
    Kind,
)
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.escape import FoundEscape, in_turn
from quorate_operator.world import World

SCAN_SECONDS = 10.0
"""Between two looks; with the time of two looks it stays below the 30 s that are promised."""
GAP_SECONDS = 2.0
"""At least so long between two looks, however much changes."""
PAGE = 100
LISTS = 4
"""Pods of one page, and pages at once: a pod may have 50 KiB in memory."""
NOTICED_MAX = 4096

log = logging.getLogger(__name__)


class EscapeScan:
    """Looks again and again, and hands on what it finds."""

    def __init__(
        self,
        api: ApiServer,
        world: World,
        intake: Intake,
        marking: MarkingKey,
        response: EscapeResponse,
        clock: Clock,
        monotonic: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._world = world
        self._intake = intake
        self._marking = marking
        self._response = response
        self._clock = clock
        self._monotonic = monotonic
        self._metrics = metrics
        self._familiar: frozenset[str] | None = None
        """UIDs of pods that a release before marks may have let run; None before the first look."""
        self._noticed: set[str] = set()
        self._wake = asyncio.Event()
        self._turn = 0
        self._whole_at = monotonic()

    @property
    def age(self) -> float:
        """Seconds since a look at everything last ended, or since this began."""
        return self._monotonic() - self._whole_at

    def noticed(self, kind: Kind, document: Document) -> None:
        """The watches bring an object: look soon if it may be an escape, or make one."""
        if kind is NAMESPACE:
            self._wake.set()
        if kind is not POD or not self._world.enforces(pods.namespace(document)):
            return
        uid = document["metadata"].get("uid", "")
        if uid in self._noticed or escape.is_marked(document):
            return
        if escape.runs(document, self._clock.now()):
            if len(self._noticed) >= NOTICED_MAX:
                self._noticed.clear()
            self._noticed.add(uid)
            self._wake.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except QuorateError as error:
                log.warning("pods were not looked at: %s", error)
            await asyncio.sleep(GAP_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SCAN_SECONDS - GAP_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def look(self) -> None:
        """Look at everything once, and act. Raises QuorateError if nothing can be done now."""
        begun = self._monotonic()
        key = await self._marking.key()
        look = await self._list(key)
        if look.whole:
            self._familiar = frozenset(look.tolerated)
            self._whole_at = self._monotonic()
            self._metrics.escape_scan.set(self._clock.now().timestamp())
            self._metrics.escape_scan_seconds.observe(self._whole_at - begun)
        for rule in (Rule.POD_ESCAPED, Rule.STATIC_POD_FOUND):
            self._metrics.escapes.labels(rule).set(look.counts[rule])
        if look.kept:
            await self._intake.sweep(self._api, NAMESPACE)
            await self._intake.sweep(self._api, CLUSTER_SAFETY_POLICY)
            await self._intake.sweep(self._api, SAFETY_EXCEPTION)
        again = (self._again(one, key) for one in in_turn(look.kept))
        await self._response.act([one for one in again if one is not None], look.namespaces)

    async def _list(self, key: bytes) -> EscapeLook:
        """List the pods of every enforcing namespace, a few namespaces at a time."""
        look, gate = EscapeLook(), asyncio.Semaphore(LISTS)
        enforcing = sorted(
            name
            for name in self._world.modes
            if self._world.enforces(name) and name not in EXCLUDED_NAMESPACES
        )
        # Another begins each time, so that none is beyond the bound always.
        self._turn = (self._turn + 1) % max(1, len(enforcing))

        async def one(namespace: str) -> None:
            async with gate:
                try:
                    async for pod in self._api.list(ANY_POD, namespace, PAGE):
                        self._judge(pod, key, look)
                except QuorateError as error:
                    look.whole = False
                    log.warning("pods of %s cannot be listed: %s", namespace, error)

        async with asyncio.TaskGroup() as group:
            for namespace in enforcing[self._turn :] + enforcing[: self._turn]:
                group.create_task(one(namespace))
        return look

    def _judge(self, pod: Document, key: bytes, look: EscapeLook) -> None:
        found = self._find(pod, key, familiar=False)
        uid = pod["metadata"].get("uid", "")
        if found is not None and (self._familiar is None or uid in self._familiar):
            found = self._find(pod, key, familiar=True)
            if found is None:
                look.tolerated.add(uid)
        if found is not None:
            look.add(pod, found)

    def _again(self, found: FoundEscape, key: bytes) -> FoundEscape | None:
        """The same with what is known now; None if it is no escape any more."""
        if not self._world.enforces(found.namespace):
            return None
        familiar = found.uid in (self._familiar or ())
        now = self._find(found.pod, key, familiar=familiar)
        return None if now is None else FoundEscape(found.pod, now)

    def _find(self, pod: Document, key: bytes, *, familiar: bool) -> Escape | None:
        snapshot = self._world.store.snapshot()
        try:
            return escape.find(pod, snapshot, key, self._clock.now(), familiar=familiar)
        except Exception as error:
            log.exception("%s cannot be judged", pods.display_name(pod))
            why = f"{Reason.INTERNAL}: it cannot be judged: {type(error).__name__}"
            return Escape(Rule.POD_ESCAPED, why, deletable=not escape.unreadable(snapshot))
