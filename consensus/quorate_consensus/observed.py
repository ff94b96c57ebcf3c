"""What the member knows of the cluster: policies, models and protected pods, as relayed to it.

A member has no token for the API server. What is not here does not exist for it, and is denied;
what is here but cannot be read denies everything it may have been about.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from quorate import limits
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1 import AttestedModel, SafetyException
from quorate.certificate import PolicyRef
from quorate.policy.compiled import CompiledPolicy
from quorate_io.member_api import ObservedPod

POLICIES_PER_NAMESPACE = limits.POLICIES_PER_NAMESPACE
"""Policies kept for one namespace, and as many cluster-wide. At most 16 may select a pod."""


@dataclass(frozen=True, slots=True)
class ObservedModel:
    """A model, and the digest of its spec: what a judgement on it depends on."""

    model: AttestedModel
    digest: str
    exceptions: tuple[SafetyException, ...] = ()
    """What somebody may have approved for it. Verified with each policy."""
    unread: bool = False
    """Whether the operator does not know yet what a source of the model holds."""
    certificates: tuple[str, ...] = ()
    """What the operator collected for it, unverified. No judgement depends on them."""
    problem: str = ""
    """What was relayed with it and cannot be used."""

    @property
    def namespace(self) -> str:
        """The model's namespace."""
        return self.model.metadata.namespace or ""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.metadata.name


@dataclass(frozen=True, slots=True)
class UnreadableModel:
    """An AttestedModel that cannot be read, and why."""

    namespace: str
    name: str
    message: str


def observe_model(
    model: AttestedModel, exceptions: tuple[SafetyException, ...] = ()
) -> ObservedModel:
    """Compute the digest of what a judgement on a model depends on: its spec and exceptions.

    It stays in this process: any stable form will do.
    """
    spec = model.spec.model_dump(mode="json", by_alias=True)
    others = [one.model_dump(mode="json", by_alias=True) for one in exceptions]
    text = json.dumps([spec, others], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return ObservedModel(model, digest, exceptions, unread=bool(model.unread))


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy under the name it has in the cluster, compiled or broken."""

    ref: PolicyRef
    policy: CompiledPolicy | BrokenPolicy


_Policies = dict[PolicyRef, CompiledPolicy | BrokenPolicy]


@dataclass(slots=True)
class Observed:
    """The objects, by what they are looked up by."""

    models: dict[tuple[str, str], ObservedModel | UnreadableModel] = field(default_factory=dict)
    pods: dict[str, ObservedPod] = field(default_factory=dict)
    _policies: dict[str | None, _Policies] = field(default_factory=dict)
    _overflow: dict[str | None, BrokenPolicy] = field(default_factory=dict)

    def put_policy(self, named: NamedPolicy) -> str | None:
        """Add or replace. Returns why if there is no room: then its namespace is denied."""
        namespace = named.ref.namespace
        policies = self._policies.setdefault(namespace, {})
        if named.ref not in policies and len(policies) >= POLICIES_PER_NAMESPACE:
            # Forgetting a policy would loosen, so the namespace is denied until the next
            # resynchronisation shows that all its policies fit.
            message = f"more than {POLICIES_PER_NAMESPACE} policies"
            self._overflow[namespace] = BrokenPolicy(namespace, str(named.ref), message)
            return message
        policies[named.ref] = named.policy
        return None

    def put_model(self, model: ObservedModel | UnreadableModel) -> str | None:
        """Add or replace. Returns why if there is no room: then the model does not exist."""
        key = (model.namespace, model.name)
        if key not in self.models and len(self.models) >= limits.MODELS_PER_CLUSTER:
            return f"more than {limits.MODELS_PER_CLUSTER} models"
        self.models[key] = model
        return None

    def model(self, other: ObservedModel) -> ObservedModel | None:
        """What is known under the other's name, if it can be read."""
        held = self.models.get((other.namespace, other.name))
        return held if isinstance(held, ObservedModel) else None

    def with_documents(self, model: ObservedModel) -> ObservedModel | None:
        """The same generation of a model, if it is held with all its documents."""
        held = self.model(model)
        if held is None or held.unread:
            return None
        there, here = held.model.metadata, model.model.metadata
        same = (there.uid, there.generation) == (here.uid, here.generation)
        return held if same and here.uid else None

    def put_pod(self, pod: ObservedPod) -> str | None:
        """Add or replace. Returns why if there is no room: then the pod does not exist."""
        if pod.uid not in self.pods and len(self.pods) >= limits.PODS_PER_CLUSTER:
            return f"more than {limits.PODS_PER_CLUSTER} pods"
        self.pods[pod.uid] = pod
        return None

    def remove_policy(self, ref: PolicyRef) -> None:
        """Forget a policy."""
        policies = self._policies.get(ref.namespace, {})
        policies.pop(ref, None)
        if not policies:
            self._policies.pop(ref.namespace, None)

    def policies_for(self, namespace: str) -> tuple[CompiledPolicy, ...]:
        """The compiled policies that might select a pod of this namespace."""
        return tuple(p for p in self._for(namespace) if isinstance(p, CompiledPolicy))

    def broken_for(self, namespace: str) -> BrokenPolicy | None:
        """A policy that might have selected a pod of this namespace and cannot be used."""
        for scope in (None, namespace):
            if scope in self._overflow:
                return self._overflow[scope]
        return next((p for p in self._for(namespace) if isinstance(p, BrokenPolicy)), None)

    def policy(self, ref: PolicyRef) -> CompiledPolicy | BrokenPolicy | None:
        """A policy by its name."""
        return self._policies.get(ref.namespace, {}).get(ref)

    def counts(self) -> dict[str, int]:
        """How many objects of each kind there are."""
        policies = sum(len(policies) for policies in self._policies.values())
        return {"policies": policies, "models": len(self.models), "pods": len(self.pods)}

    def _for(self, namespace: str) -> Iterator[CompiledPolicy | BrokenPolicy]:
        for scope in (None, namespace):
            yield from self._policies.get(scope, {}).values()
