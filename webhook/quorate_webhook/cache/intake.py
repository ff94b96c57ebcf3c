"""Where watched objects go: into the store, or among the pods that wait for a node or have one.

An object that cannot be taken in is treated so that what depends on it is denied.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from quorate.admission.store import Key, Store
from quorate.errors import LimitExceeded
from quorate_webhook.cache import documents
from quorate_webhook.cache.bound_pods import BoundPods
from quorate_webhook.cache.kinds import BOUND_POD, CLAIM, EXCEPTION, MODEL, POD, Kind
from quorate_webhook.cache.pending_pods import PendingPods

log = logging.getLogger(__name__)


class Intake:
    """Takes objects of all kinds, in any order."""

    def __init__(
        self,
        store: Store,
        pods: PendingPods,
        bound: BoundPods,
        now: Callable[[], datetime],
        stranger: Callable[[], None],
    ) -> None:
        """``stranger`` is called for a model with a certificate of an epoch that is not known."""
        self._store = store
        self._stranger = stranger
        self._pods: dict[Kind, PendingPods | BoundPods] = {POD: pods, BOUND_POD: bound}
        self._now = now
        self._versions: dict[Key, str] = {}
        """Versions of models, so that a list read again verifies no signature again."""

    def put(self, kind: Kind, raw: msgspec.Raw) -> tuple[Key, bool]:
        """Add or replace an object; its key, and False if it was refused.

        Raises msgspec.MsgspecError or ValueError if it has no readable name.
        """
        metadata = documents.named(raw)
        key = (metadata.namespace, metadata.name)
        try:
            return key, self._put(kind, key, metadata.resource_version, raw)
        except Exception as error:
            log.exception("%s %s/%s cannot be taken in", kind.name, *key)
            self._refuse(kind, key, error)
            return key, False

    def remove(self, kind: Kind, key: Key) -> None:
        """Forget an object that was deleted."""
        self._versions.pop(key, None) if kind is MODEL else None
        if kind in self._pods:
            self._pods[kind].remove(key)
        else:
            self._store.remove(kind.name, key)

    def keys(self, kind: Kind) -> Iterable[Key]:
        """Every object of the kind that is known."""
        known = self._pods.get(kind)
        return self._store.keys(kind.name) if known is None else known.keys()

    def _put(self, kind: Kind, key: Key, version: str, raw: msgspec.Raw) -> bool:
        if kind in self._pods:
            return self._pods[kind].put(key, raw)
        if kind is MODEL and self._versions.get(key) == version:
            return True
        document = documents.whole(raw) | {"kind": kind.name, "apiVersion": kind.api_version}
        if kind is CLAIM:
            self._store.put_claim(document)
            return True
        if kind is EXCEPTION:
            self._store.put_exception(document)
            return True
        if kind is not MODEL:
            self._store.put_policy(document)
            return True
        try:
            known = self._store.put_model(document, self._now())
        except LimitExceeded as error:
            log.error("AttestedModel %s/%s stays unknown: %s", *key, error)
            return False
        if known is None:
            return False
        self._versions[key] = version
        if known.strangers:
            self._stranger()
        return True

    def _refuse(self, kind: Kind, key: Key, error: Exception) -> None:
        if kind in (CLAIM, EXCEPTION, MODEL, *self._pods):
            self.remove(kind, key)
        else:
            # A policy that is left out would be one that no longer asks for anything.
            self._store.break_policy(kind.name, key, f"cannot be taken in: {error}"[:300])
