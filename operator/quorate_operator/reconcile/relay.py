"""What to tell a member, as numbered batches of bounded size. Pure.

A session begins with everything there is; after that only changes go out. Whether the member has
heard a batch is for the caller to know.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from quorate_io.member_api import (
    BATCH_BYTES_ADVISED,
    ObjectKey,
    ObservedBatch,
    ObservedPod,
)
from quorate_operator.kinds import ATTESTED_MODEL, POLICY_KINDS, Key
from quorate_operator.pending import Pending
from quorate_operator.reconcile.actions import PutObserved
from quorate_operator.world import Document, World

T = TypeVar("T", Key, str)

ITEMS_PER_BATCH = 2000
"""Objects of one batch, whatever their size."""


class _Draft:
    """A batch while it is being filled."""

    def __init__(self) -> None:
        self.policies: list[Document] = []
        self.models: list[Document] = []
        self.pods: list[ObservedPod] = []
        self.removed: list[ObjectKey] = []
        self.removed_pods: list[str] = []
        self._bytes = 0
        self._items = 0

    def is_full(self) -> bool:
        return self._bytes >= BATCH_BYTES_ADVISED or self._items >= ITEMS_PER_BATCH

    def count(self, item: object) -> None:
        self._items += 1
        self._bytes += len(msgspec.json.encode(item))

    def batch(self, session: str, sequence: int, *, complete: bool = False) -> ObservedBatch:
        return ObservedBatch(
            session=session,
            sequence=sequence,
            reset=sequence == 1,
            complete=complete,
            policies=tuple(self.policies),
            models=tuple(self.models),
            pods=tuple(self.pods),
            removed=tuple(self.removed),
            removed_pods=tuple(self.removed_pods),
        )


def plan_session(world: World, session: str) -> Iterator[PutObserved]:
    """Everything there is, in batches, made one at a time: the world may change between them.

    What changes meanwhile is pending, and goes out afterwards.
    """
    keys = [key for kind in (*POLICY_KINDS, ATTESTED_MODEL.name) for key in world.keys(kind)]
    uids = list(world.protected)
    sequence = 1
    draft = _Draft()
    items: list[Key | str] = [*keys, *uids]
    for item in items:
        if draft.is_full():
            yield PutObserved(draft.batch(session, sequence))
            sequence, draft = sequence + 1, _Draft()
        if isinstance(item, str):
            _add_pod(draft, world, item)
        else:
            _add_object(draft, world, item)
    yield PutObserved(draft.batch(session, sequence, complete=True))


def plan_changes(world: World, pending: Pending, session: str, sequence: int) -> PutObserved:
    """The next changes, as far as they fit; an empty batch if nothing changed: a heartbeat.

    What is in the batch is no longer pending. The caller sends it until it is heard.
    """
    draft = _Draft()
    for key in _taken(pending.objects, draft):
        _add_object(draft, world, key)
    for uid in _taken(pending.pods, draft):
        _add_pod(draft, world, uid)
    return PutObserved(draft.batch(session, sequence))


def _taken(waiting: dict[T, None], draft: _Draft) -> Iterator[T]:
    while waiting and not draft.is_full():
        first = next(iter(waiting))
        del waiting[first]
        yield first


def _add_object(draft: _Draft, world: World, key: Key) -> None:
    known = world.get(key)
    if known is None:
        gone = ObjectKey(kind=key.kind, namespace=key.namespace or None, name=key.name)
        draft.removed.append(gone)
        draft.count(gone)
        return
    documents = draft.models if key.kind == ATTESTED_MODEL.name else draft.policies
    documents.append(known.relayed)
    draft.count(known.relayed)


def _add_pod(draft: _Draft, world: World, uid: str) -> None:
    pod = world.protected.get(uid)
    if pod is None:
        draft.removed_pods.append(uid)
        draft.count(uid)
        return
    draft.pods.append(pod)
    draft.count(pod)
