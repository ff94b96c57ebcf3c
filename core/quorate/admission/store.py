"""Builds snapshots from objects as they come and go. Pure: who watches the API is not its affair.

Webhook and operator keep one each, so that both decide from the same reading of the same objects.
Signatures are verified here, once, when an object enters.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quorate import limits
from quorate.admission.injection import InjectionConfig
from quorate.admission.snapshot import BrokenPolicy, KnownModel, Snapshot, know_model
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import AnyPolicy
from quorate.errors import LimitExceeded, QuorateError
from quorate.genesis import Genesis
from quorate.policy.compiled import CompiledPolicy, compile_policy

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""
Document = Mapping[str, Any]


class Store:
    """Policies, models and claims of a cluster, and the snapshot they make."""

    def __init__(self, injection: InjectionConfig, genesis: Genesis) -> None:
        self._injection = injection
        self._genesis = genesis
        self._policies: dict[tuple[str, Key], CompiledPolicy | BrokenPolicy] = {}
        self._models: dict[Key, KnownModel] = {}
        self._claims: dict[Key, tuple[str, ...]] = {}
        self._snapshot: Snapshot | None = None

    def put_policy(self, document: Document) -> CompiledPolicy | BrokenPolicy:
        """Take in a SafetyPolicy or ClusterSafetyPolicy; one that does not compile denies."""
        cluster_wide = document.get("kind") == ClusterSafetyPolicy.kind_name
        kind: type[AnyPolicy] = ClusterSafetyPolicy if cluster_wide else SafetyPolicy
        key = _key(document)
        result: CompiledPolicy | BrokenPolicy
        try:
            result = compile_policy(read(kind, document))
        except QuorateError as error:
            name = "/".join(part for part in (kind.kind_name, *key) if part)
            result = BrokenPolicy(key[0] or None, name, str(error))
        self._policies[kind.kind_name, key] = result
        self._snapshot = None
        return result

    def put_model(self, document: Document, now: datetime) -> KnownModel | None:
        """Take in an AttestedModel, verifying its certificates; None if it is malformed."""
        key = _key(document)
        self._snapshot = None
        if key not in self._models and len(self._models) >= limits.MODELS_PER_CLUSTER:
            raise LimitExceeded(f"more than {limits.MODELS_PER_CLUSTER} AttestedModels")
        try:
            known = know_model(read(AttestedModel, document), self._genesis, now)
        except QuorateError:
            # A model that cannot be read is a model that is not there: its pods are denied.
            self._models.pop(key, None)
            return None
        self._models[key] = known
        return known

    def put_claim(self, document: Document) -> None:
        """Take in a PersistentVolumeClaim."""
        modes = (document.get("spec") or {}).get("accessModes") or []
        self._claims[_key(document)] = tuple(sorted(str(mode) for mode in modes))
        self._snapshot = None

    def remove(self, kind: str, key: Key) -> None:
        """Forget an object that was deleted."""
        self._snapshot = None
        if kind == "AttestedModel":
            self._models.pop(key, None)
        elif kind == "PersistentVolumeClaim":
            self._claims.pop(key, None)
        else:
            self._policies.pop((kind, key), None)

    def keys(self, kind: str) -> set[Key]:
        """Which objects of a kind are known, to find those a new list no longer holds."""
        if kind == "AttestedModel":
            return set(self._models)
        if kind == "PersistentVolumeClaim":
            return set(self._claims)
        return {key for policy_kind, key in self._policies if policy_kind == kind}

    def snapshot(self) -> Snapshot:
        """The present state; the same object until something changes. Treat it as frozen."""
        if self._snapshot is None:
            policies = list(self._policies.values())
            self._snapshot = Snapshot(
                injection=self._injection,
                policies=tuple(p for p in policies if isinstance(p, CompiledPolicy)),
                broken=tuple(p for p in policies if isinstance(p, BrokenPolicy)),
                models=self._models,
                claims=self._claims,
            )
        return self._snapshot


def _key(document: Document) -> Key:
    metadata = document.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
