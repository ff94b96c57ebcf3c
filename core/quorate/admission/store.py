"""Builds snapshots from objects as they come and go. Pure: who watches the API is not its affair.

Webhook and operator keep one each, so that both decide from the same reading of the same objects.
Signatures are verified here, once, when an object enters.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quorate import limits
from quorate.admission.exceptions import Exceptions
from quorate.admission.injection import InjectionConfig, seated
from quorate.admission.model import KnownModel, know_model, reconsider
from quorate.admission.snapshot import BrokenPolicy, Policies, Snapshot
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy, SafetyException, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import AnyPolicy
from quorate.consensus.history import History
from quorate.errors import LimitExceeded, QuorateError
from quorate.policy.compiled import CompiledPolicy, compile_policy

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""
Document = Mapping[str, Any]


class Store:
    """Policies, models and claims of a cluster, and the snapshot they make."""

    def __init__(
        self,
        injection: InjectionConfig,
        history: History,
        previous: tuple[InjectionConfig, ...] = (),
    ) -> None:
        self._injection = seated(injection, history.head)
        self._previous = previous
        self._history = history
        self._policies: dict[tuple[str, Key], CompiledPolicy | BrokenPolicy] = {}
        self._overflow: dict[tuple[str, str], set[Key]] = {}
        """Policies there was no room for, by kind and namespace."""
        self._rooms: dict[tuple[str, str], tuple[int, int]] = {}
        """How many are kept, and how large they are together, by kind and namespace."""
        self._sizes: dict[tuple[str, Key], int] = {}
        self._models: dict[Key, KnownModel] = {}
        self._claims: dict[Key, tuple[str, ...]] = {}
        self._exceptions = Exceptions()
        self._snapshot: Snapshot | None = None

    @property
    def history(self) -> History:
        """The epochs it verifies with."""
        return self._history

    def follow(self, history: History) -> None:
        """Verify with these epochs from now on, and hold what they leave standing: no more of what
        was held before, and what waited for them.

        Pods that are injected from now on begin with the members of the newest."""
        self._history = history
        injection = seated(self._injection, history.head)
        if injection != self._injection:
            self._injection, self._snapshot = injection, None
        for key, known in self._models.items():
            self._models[key] = reconsider(known, history)

    def put_policy(self, document: Document) -> CompiledPolicy | BrokenPolicy:
        """Take in a SafetyPolicy or ClusterSafetyPolicy; one that does not compile denies."""
        cluster_wide = document.get("kind") == ClusterSafetyPolicy.kind_name
        kind: type[AnyPolicy] = ClusterSafetyPolicy if cluster_wide else SafetyPolicy
        key = _key(document)
        result: CompiledPolicy | BrokenPolicy
        full = self._full(kind.kind_name, key, len(str(document.get("spec"))))
        if full is not None:
            return full
        try:
            result = compile_policy(read(kind, document))
        except QuorateError as error:
            name = "/".join(part for part in (kind.kind_name, *key) if part)
            result = BrokenPolicy(key[0] or None, name, str(error))
        self._take(kind.kind_name, key, result)
        return result

    def break_policy(self, kind: str, key: Key, message: str) -> None:
        """A policy could not even be handed over: it denies like one that does not compile."""
        name = "/".join(part for part in (kind, *key) if part)
        if self._full(kind, key) is None:
            self._take(kind, key, BrokenPolicy(key[0] or None, name, message))

    def _full(self, kind: str, key: Key, size: int = 0) -> BrokenPolicy | None:
        """What holds for the namespace if it has no room for the policy: to leave one out would
        loosen, so it denies, until a list that is read anew finds that all of them fit."""
        place, before = (kind, key[0]), self._sizes.get((kind, key))
        count, used = self._rooms.get(place, (0, 0))
        count, used = count + (before is None), used + size - (before or 0)
        large = key[0] and used > limits.POLICY_BYTES_PER_NAMESPACE
        if count > limits.POLICIES_PER_NAMESPACE or large:
            self._drop(kind, key)
            left_out = self._overflow.setdefault(place, set())
            if not left_out:
                self._snapshot = None
            left_out.add(key)
            return _overflown(place)
        self._rooms[place] = (count, used)
        self._sizes[kind, key] = size
        self._fits(place, key)
        return None

    def _fits(self, place: tuple[str, str], key: Key) -> None:
        """The policy is not one of those that were left out, or no longer."""
        left_out = self._overflow.get(place, set())
        left_out.discard(key)
        if not left_out and self._overflow.pop(place, None) is not None:
            self._snapshot = None

    def _drop(self, kind: str, key: Key) -> None:
        size = self._sizes.pop((kind, key), None)
        if size is not None:
            place = (kind, key[0])
            count, used = self._rooms.pop(place)
            if count > 1:
                self._rooms[place] = (count - 1, used - size)
        if self._policies.pop((kind, key), None) is not None:
            self._snapshot = None

    def _take(self, kind: str, key: Key, result: CompiledPolicy | BrokenPolicy) -> None:
        previous = self._policies.get((kind, key))
        self._policies[kind, key] = result
        if not _is_same(previous, result):
            self._snapshot = None

    def put_model(self, document: Document, now: datetime) -> KnownModel | None:
        """Take in an AttestedModel, verifying its certificates; None if it is malformed.

        Raises LimitExceeded for one more than a cluster may have: its pods are denied.
        """
        key = _key(document)
        if key not in self._models and len(self._models) >= limits.MODELS_PER_CLUSTER:
            raise LimitExceeded(f"more than {limits.MODELS_PER_CLUSTER} AttestedModels")
        try:
            known = know_model(read(AttestedModel, document), self._history, now)
        except QuorateError:
            # A model that cannot be read is a model that is not there: its pods are denied.
            self._models.pop(key, None)
            return None
        self._models[key] = known
        return known

    def put_claim(self, document: Document) -> None:
        """Take in a PersistentVolumeClaim. Past the bound it stays unknown, and so refused."""
        key = _key(document)
        if key not in self._claims and len(self._claims) >= limits.PODS_PER_CLUSTER:
            return
        modes = (document.get("spec") or {}).get("accessModes") or []
        self._claims[key] = tuple(sorted(str(mode) for mode in modes))

    def put_exception(self, document: Document) -> None:
        """Take in a SafetyException; one that is malformed lifts nothing."""
        self._exceptions.put(_key(document), document)

    def remove(self, kind: str, key: Key) -> None:
        """Forget an object that was deleted."""
        if kind == SafetyException.kind_name:
            self._exceptions.remove(key)
        elif kind == "AttestedModel":
            self._models.pop(key, None)
        elif kind == "PersistentVolumeClaim":
            self._claims.pop(key, None)
        else:
            self._drop(kind, key)
            self._fits((kind, key[0]), key)

    def keys(self, kind: str) -> set[Key]:
        """Which objects of a kind are known, to find those a new list no longer holds."""
        if kind == "AttestedModel":
            return set(self._models)
        if kind == SafetyException.kind_name:
            return self._exceptions.keys()
        if kind == "PersistentVolumeClaim":
            return set(self._claims)
        left_out = (keys for place, keys in self._overflow.items() if place[0] == kind)
        return {key for other, key in self._policies if other == kind}.union(*left_out)

    def snapshot(self) -> Snapshot:
        """The present state. Use it at once and treat it as frozen: it shares the store's maps."""
        if self._snapshot is None:
            found = list(self._policies.values())
            policies = Policies(
                compiled=tuple(p for p in found if isinstance(p, CompiledPolicy)),
                broken=(
                    *(p for p in found if isinstance(p, BrokenPolicy)),
                    *map(_overflown, self._overflow),
                ),
            )
            self._snapshot = Snapshot(
                self._injection,
                policies,
                self._models,
                self._claims,
                self._exceptions.by_workload,
                self._history.head.cluster_id,
                previous=self._previous,
            )
        return self._snapshot


def _is_same(
    previous: CompiledPolicy | BrokenPolicy | None, result: CompiledPolicy | BrokenPolicy
) -> bool:
    """Whether nothing a decision looks at changed: a status update, or a list read again."""
    if isinstance(previous, CompiledPolicy) and isinstance(result, CompiledPolicy):
        return previous.digest == result.digest
    return previous == result


def _overflown(place: tuple[str, str]) -> BrokenPolicy:
    _, namespace = place
    name = "/".join(part for part in place if part)
    most, size = limits.POLICIES_PER_NAMESPACE, limits.POLICY_BYTES_PER_NAMESPACE // limits.MIB
    message = f"there are more than {most} of them, or they have over {size} MiB; delete some"
    return BrokenPolicy(namespace or None, name, message)


def _key(document: Document) -> Key:
    metadata = document.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
