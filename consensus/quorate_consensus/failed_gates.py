"""Statements that failed a gate, remembered so that withholding them does not help.

Whoever writes an AttestedModel may leave a FAILED result out of it. Once this member has verified
one, it counts against every model of the same bytes, until a newer result passes. What is kept is
the signed statement itself: nothing here has to be trusted, it is verified again each time.

A policy's failures count for policies of the same scope only: a namespace's own policies name keys
that its tenant chose, and must not fill the memory of others.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from quorate import limits
from quorate.api.v1alpha1.gate import MAX_AGE
from quorate.evidence.intoto import Document
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.gates import Failure

CLUSTER_BYTES: Final = 32 * limits.MIB
"""Statements that failed gates of cluster policies."""
NAMESPACE_BYTES: Final = limits.MIB
"""Of these, for the policies of one namespace."""
NAMESPACES_BYTES: Final = 32 * limits.MIB
PER_MODEL_MAX: Final = 64
"""Statements about one model in one scope: each is verified at each judgement."""
_KEPT = timedelta(seconds=MAX_AGE)
_OVERHEAD = 1024
_NOTHING: tuple[Document, ...] = ()

Scope = str | None
"""The namespace of a policy; None for cluster policies."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """Of each, only the newest failure is kept: an older one denies nothing that it does not."""

    scope: Scope
    policy: str
    gate: str
    manifest_digest: str


@dataclass(frozen=True, slots=True)
class FailedGate:
    """A statement that failed a gate, made at a time."""

    key: Key
    made_at: datetime
    document: Document

    @property
    def size(self) -> int:
        """Bytes it is counted with."""
        return len(self.document.data) + _OVERHEAD

    def ended(self, now: datetime) -> bool:
        """Whether nothing that it could fail is young enough for any gate."""
        return self.made_at + _KEPT <= now


class Store(Protocol):
    """Where failures outlive the process. May raise OSError."""

    def put(self, failed: FailedGate) -> None:
        """Keep it, instead of what has the same key."""

    def remove(self, key: Key) -> None:
        """Forget it."""


class FailedGates:
    """The memory. Reading is safe from any thread; writing takes a lock."""

    def __init__(self, store: Store | None = None, known: tuple[FailedGate, ...] = ()) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: dict[Key, FailedGate] = {}
        self._about: dict[tuple[Scope, str], tuple[Document, ...]] = {}
        for failed in known:
            self._kept[failed.key] = failed
            self._index(failed.key)

    def __len__(self) -> int:
        return len(self._kept)

    def about(self, policy: CompiledPolicy, manifest_digest: str) -> tuple[Document, ...]:
        """What failed these bytes, for policies of this scope. The same object until it changes."""
        return self._about.get((policy.ref.namespace, manifest_digest), _NOTHING)

    def remember(
        self,
        policy: CompiledPolicy,
        manifest_digest: str,
        failures: tuple[Failure, ...],
        now: datetime,
    ) -> None:
        """Keep what is newer than what is known. What is dated ahead of ``now`` is not kept."""
        for failure in failures:
            key = Key(policy.ref.namespace, policy.ref.name, failure.gate, manifest_digest)
            failed = FailedGate(key, failure.made_at, failure.document)
            ahead = failed.made_at > now + timedelta(seconds=limits.CLOCK_SKEW)
            if ahead or failed.ended(now):
                continue
            with self._lock:
                known = self._kept.get(key)
                if known is None or known.made_at < failed.made_at:
                    self._put(failed)

    def sweep(self, now: datetime) -> None:
        """Forget what can fail nothing any more."""
        with self._lock:
            for failed in [failed for failed in self._kept.values() if failed.ended(now)]:
                self._remove(failed.key)

    def _put(self, failed: FailedGate) -> None:
        self._kept[failed.key] = failed
        self._make_room(failed.key)
        if failed.key not in self._kept:
            return
        self._index(failed.key)
        log.warning(
            "remembered that %s of policy %s failed model %s at %s",
            *(failed.key.gate, failed.key.policy, failed.key.manifest_digest, failed.made_at),
        )
        self._stored(lambda store: store.put(failed))

    def _remove(self, key: Key) -> None:
        del self._kept[key]
        self._index(key)
        self._stored(lambda store: store.remove(key))

    def _stored(self, change: Callable[[Store], None]) -> None:
        if self._store is None:
            return
        try:
            change(self._store)
        except OSError as error:
            log.error("failed gates cannot be stored, a restart would forget: %s", error)

    def _index(self, key: Key) -> None:
        where = (key.scope, key.manifest_digest)
        documents = {
            failed.document.digest: failed.document
            for failed in self._kept.values()
            if (failed.key.scope, failed.key.manifest_digest) == where
        }
        if documents:
            self._about[where] = tuple(documents.values())
        else:
            self._about.pop(where, None)

    def _make_room(self, new: Key) -> None:
        of_model, scope = (new.scope, new.manifest_digest), new.scope
        most = CLUSTER_BYTES if scope is None else NAMESPACE_BYTES
        self._bound(lambda key: (key.scope, key.manifest_digest) == of_model, most, PER_MODEL_MAX)
        self._bound(lambda key: key.scope == scope, most)
        self._bound(lambda key: key.scope is not None, NAMESPACES_BYTES)

    def _bound(
        self, chosen: Callable[[Key], bool], bytes_max: int, count_max: int | None = None
    ) -> None:
        """Forget what ends first, until the rest is within bounds."""
        found = [failed for failed in self._kept.values() if chosen(failed.key)]
        found.sort(key=lambda failed: failed.made_at, reverse=True)
        total = sum(failed.size for failed in found)
        while total > bytes_max or (count_max is not None and len(found) > count_max):
            first = found.pop()
            total -= first.size
            log.error("no room to remember all failed gates: forgot %s", first.key)
            self._remove(first.key)
