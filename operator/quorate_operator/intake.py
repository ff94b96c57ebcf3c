"""Takes in what the watches and lists bring, and puts into the queues what it concerns."""

from collections.abc import Callable, Iterable

from quorate import limits
from quorate.ports import Clock
from quorate_operator.effects.api_server import ApiServer, Document
from quorate_operator.kinds import ATTESTED_MODEL, POD, SOURCED_KINDS, Key, Kind
from quorate_operator.workqueue import WorkQueue
from quorate_operator.world import World

MODELS_PER_NAMESPACE = 8
"""Of one namespace, looked at at once: half of the workers."""


class Queues:
    """One queue for each kind of work, so that a storm of one does not hold up the others."""

    def __init__(self) -> None:
        self.policies = WorkQueue("policies", keys_max=limits.MODELS_PER_CLUSTER, min_interval=0.1)
        self.models = WorkQueue(
            "models",
            keys_max=limits.MODELS_PER_CLUSTER,
            min_interval=0.1,
            at_once=MODELS_PER_NAMESPACE,
        )
        self.pods = WorkQueue("pods", keys_max=limits.PODS_PER_CLUSTER, min_interval=0.02)

    def all(self) -> tuple[WorkQueue, ...]:
        """The queues."""
        return self.policies, self.models, self.pods

    def of(self, key: Key) -> WorkQueue:
        """The queue a key belongs to."""
        if key.kind == POD.name:
            return self.pods
        return self.models if key.kind == ATTESTED_MODEL.name else self.policies

    def add(self, keys: Iterable[Key]) -> None:
        """Have the objects looked at soon."""
        for key in keys:
            self.of(key).add(key)


class Intake:
    """The one place where the world changes."""

    def __init__(self, world: World, queues: Queues, clock: Clock) -> None:
        self._world = world
        self._queues = queues
        self._clock = clock
        self._touched: dict[str, set[Key]] = {}
        self.on_sourced: Callable[[Key], None] = lambda _: None
        """Called for every model and policy that is there, was changed or went."""
        self.on_seen: Callable[[Kind, Document], None] = lambda *_: None
        """Called for every object the watches bring."""

    def arrived(self, kind: Kind, document: Document) -> None:
        """An object is there: listed, added, changed or just written."""
        self._touch(kind, document)
        self._put(kind, document)
        self.on_seen(kind, document)

    def gone(self, kind: Kind, document: Document) -> None:
        """An object is there no more."""
        key = self._touch(kind, document)
        self.follow(self._world.remove(key, document["metadata"].get("uid", "")))

    async def sweep(self, api: ApiServer, kind: Kind) -> None:
        """List a kind anew: take in what is there, and forget what is not.

        What the watch brings meanwhile is newer than the list and is left alone. Raises
        QuorateError.
        """
        touched = self._touched[kind.name] = set()
        found: set[Key] = set()
        try:
            async for document in api.list(kind):
                key = _key(kind, document)
                found.add(key)
                if key not in touched:
                    self._put(kind, document)
        finally:
            self._touched.pop(kind.name, None)
        for key in self._world.keys(kind.name) - found - touched:
            self.follow(self._world.remove(key))

    def _touch(self, kind: Kind, document: Document) -> Key:
        key = _key(kind, document)
        if kind.name in self._touched:
            self._touched[kind.name].add(key)
        return key

    def _put(self, kind: Kind, document: Document) -> None:
        self.follow(self._world.put(kind, document, self._clock.now()))
        if kind.name in SOURCED_KINDS:
            self.on_sourced(_key(kind, document))

    def follow(self, concerned: set[Key]) -> None:
        """Have looked at what a change of the world concerns."""
        for key in concerned:
            if key.kind in SOURCED_KINDS and self._world.get(key) is None:
                self.on_sourced(key)
        self._queues.add(concerned)


def _key(kind: Kind, document: Document) -> Key:
    metadata = document["metadata"]
    return Key(kind.name, metadata.get("namespace", ""), metadata["name"])
