"""The operator's relay: reading batches, and the order in which they take effect.

A batch that is lost or doubled would leave a member with policies that no longer hold. So batches
are numbered within a session, a gap is answered ResyncNeeded, and a session's first full picture
takes effect at once, when it is complete.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quorate import limits, names
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1 import (
    AttestedModel,
    ClusterSafetyPolicy,
    SafetyException,
    SafetyPolicy,
)
from quorate.api.v1alpha1.meta import read
from quorate.certificate import PolicyRef
from quorate.errors import InvalidInput, QuorateError
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.fetched import FetchedSignatures
from quorate_consensus.observed import (
    NamedPolicy,
    Observed,
    ObservedModel,
    UnreadableModel,
    observe_model,
)
from quorate_io import member_api
from quorate_io.member_api import ObjectKey, ObservedBatch, Problem

_POLICY_KINDS: dict[str, type[SafetyPolicy | ClusterSafetyPolicy]] = {
    SafetyPolicy.kind_name: SafetyPolicy,
    ClusterSafetyPolicy.kind_name: ClusterSafetyPolicy,
}
_MESSAGE_CHARS = 1024


class ResyncNeeded(QuorateError):
    """The batch does not follow what the member has: the operator must begin a new session."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A batch whose objects were read. Reading is the slow part and needs no order."""

    batch: ObservedBatch
    policies: tuple[NamedPolicy, ...]
    models: tuple[ObservedModel | UnreadableModel, ...]


def read_policy(document: Mapping[str, Any]) -> CompiledPolicy:
    """Read and compile a policy of either kind. Raises InvalidInput."""
    kind = _POLICY_KINDS.get(str(document.get("kind")))
    if kind is None:
        raise InvalidInput(f"must be one of {', '.join(_POLICY_KINDS)}", field="policy.kind")
    policy = read(kind, document)
    if kind.namespaced and not policy.metadata.namespace:
        raise InvalidInput("must be set", field="policy.metadata.namespace")
    images = member_api.fetched_images(document)
    if not images:
        return compile_policy(policy)
    fetched = FetchedSignatures(
        tuple((image.digest, image.bundles) for image in images if not image.unread),
        frozenset(image.digest for image in images if image.unread),
    )
    return replace(compile_policy(policy), fetched=fetched)


def read_model(document: Mapping[str, Any]) -> ObservedModel:
    """Read a model, with the exceptions and certificates that came with it. Raises InvalidInput."""
    model = read(AttestedModel, document)
    if not model.metadata.namespace:
        raise InvalidInput("must be set", field="model.metadata.namespace")
    observed = observe_model(model, _exceptions(document.get("exceptions")))
    try:
        return replace(observed, certificates=member_api.relayed_certificates(document))
    except InvalidInput as error:
        # As if none were collected yet. The model itself is what it is.
        return replace(observed, problem=str(error)[:_MESSAGE_CHARS])


def _exceptions(documents: Any) -> tuple[SafetyException, ...]:
    """Those that can be read: one that cannot lifts nothing."""
    found = []
    for document in documents if isinstance(documents, list) else ():
        with contextlib.suppress(InvalidInput):
            found.append(read(SafetyException, document))
    return tuple(found[: limits.EXCEPTIONS_PER_WORKLOAD])


def read_batch(body: bytes) -> Changes:
    """Read a batch; removals come before additions. What cannot be used is in it as a denial.

    Raises InvalidInput if the batch itself, or the identity of an object in it, is malformed.
    """
    batch = member_api.decode(
        body, ObservedBatch, bytes_max=member_api.BATCH_BYTES, what="observed batch"
    )
    for key in batch.removed:
        _check_key(key)
    policies = tuple(_named_policy(document) for document in batch.policies)
    return Changes(batch, policies, tuple(_model(document) for document in batch.models))


def _check_key(key: ObjectKey) -> None:
    if key.kind not in (*_POLICY_KINDS, AttestedModel.kind_name):
        raise InvalidInput("must be a policy or a model", field="removed[].kind")
    if (key.namespace is None) != (key.kind == ClusterSafetyPolicy.kind_name):
        raise InvalidInput("must be set except for cluster policies", field="removed[].namespace")


def _named_policy(document: dict[str, Any]) -> NamedPolicy:
    kind = _POLICY_KINDS.get(str(document.get("kind")))
    if kind is None or document.get("apiVersion") != names.API_VERSION:
        raise InvalidInput("must be a policy of this API", field="policies[]")
    namespace, name = _identity(document, "policies[]", namespaced=kind.namespaced)
    ref = PolicyRef(kind=kind.kind_name, namespace=namespace, name=name)
    try:
        return NamedPolicy(ref, read_policy(document))
    except QuorateError as error:
        return NamedPolicy(ref, BrokenPolicy(namespace, str(ref), str(error)[:_MESSAGE_CHARS]))


def _model(document: dict[str, Any]) -> ObservedModel | UnreadableModel:
    namespace, name = _identity(document, "models[]", namespaced=True)
    try:
        return read_model(document)
    except QuorateError as error:
        return UnreadableModel(namespace or "", name, str(error)[:_MESSAGE_CHARS])


def _identity(document: dict[str, Any], where: str, *, namespaced: bool) -> tuple[str | None, str]:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 253:
        raise InvalidInput("must have a name", field=f"{where}.metadata")
    if not namespaced:
        return None, name
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 253:
        raise InvalidInput("must have a namespace", field=f"{where}.metadata")
    return namespace, name


class Relay:
    """What the current session said. ``current`` is None until one was complete."""

    def __init__(self) -> None:
        self.current: Observed | None = None
        self.heard_at: datetime | None = None
        """When ``current`` was last known to be all there is."""
        self._staging: Observed | None = None
        self._session = ""
        self._sequence = 0

    def accept(self, changes: Changes, now: datetime) -> tuple[Problem, ...]:
        """Apply a batch, and return what of it cannot be used.

        Raises ResyncNeeded if it does not follow the last one, InvalidInput if it contradicts
        itself.
        """
        batch = changes.batch
        if (batch.session, batch.sequence) == (self._session, self._sequence):
            return ()  # sent again because our answer was lost
        if batch.reset != (batch.sequence == 1):
            raise InvalidInput("must be set on the first batch and no other", field="reset")
        if batch.reset:
            self._session, self._staging = batch.session, Observed()
        elif (batch.session, batch.sequence) != (self._session, self._sequence + 1):
            raise ResyncNeeded(
                f"expected {self._session or 'a new session'}/{self._sequence + 1}, "
                f"not {batch.session}/{batch.sequence}",
                fix="begin a new session with reset",
            )
        self._sequence = batch.sequence
        target = self._staging if self._staging is not None else self.current
        assert target is not None  # noqa: S101 - without a session nothing follows
        changes = _with_documents(changes, (target, self.current))
        policies = tuple(self._with_signatures(p, target) for p in changes.policies)
        problems = _apply(replace(changes, policies=policies), target)
        if batch.complete and self._staging is not None:
            self.current, self._staging = self._staging, None
        if self._staging is None:
            self.heard_at = now
        return problems

    def with_signatures(self, policy: CompiledPolicy) -> CompiledPolicy:
        """The policy, with what is held of images of which the operator has yet to read."""
        held = self.current.policy(policy.ref) if self.current else None
        return _filled(policy, held)

    def _with_signatures(self, named: NamedPolicy, target: Observed) -> NamedPolicy:
        if not isinstance(named.policy, CompiledPolicy):
            return named
        policy = _filled(named.policy, target.policy(named.ref))
        return NamedPolicy(named.ref, self.with_signatures(policy))


def _filled(policy: CompiledPolicy, held: CompiledPolicy | BrokenPolicy | None) -> CompiledPolicy:
    if not policy.fetched.unread or not isinstance(held, CompiledPolicy):
        return policy
    # What is attached to an image stays true of it, whatever else the policy says by now.
    return replace(policy, fetched=policy.fetched.or_held(held.fetched))


def _with_documents(changes: Changes, held: Sequence[Observed | None]) -> Changes:
    """The changes, with what is held of models whose sources the operator has yet to read.

    An operator that has just begun knows no fetched document. What it read before was verified
    here, and counts until it has read again; else each of its starts would revoke.
    """
    models = tuple(_read_before(m, held) for m in changes.models)
    return replace(changes, models=models)


def _read_before(
    model: ObservedModel | UnreadableModel, held: Sequence[Observed | None]
) -> ObservedModel | UnreadableModel:
    if not isinstance(model, ObservedModel) or not model.unread:
        return model
    known = next((found for o in held if o and (found := o.with_documents(model))), None)
    if known is None:
        return model
    return replace(known, certificates=model.certificates, problem=model.problem)


def _apply(changes: Changes, target: Observed) -> tuple[Problem, ...]:
    batch = changes.batch
    for key in batch.removed:
        if key.kind in _POLICY_KINDS:
            target.remove_policy(PolicyRef(key.kind, key.namespace, key.name))
        else:
            target.models.pop((key.namespace or "", key.name), None)
    for uid in batch.removed_pods:
        target.pods.pop(uid, None)
    found = [(str(p.ref), target.put_policy(p) or _broken(p)) for p in changes.policies]
    found += [(f"{m.namespace}/{m.name}", target.put_model(m) or _odd(m)) for m in changes.models]
    found += [(f"{p.namespace}/{p.name}", target.put_pod(p)) for p in batch.pods]
    problems = (Problem(object=name, message=why) for name, why in found if why)
    return tuple(problems)[: member_api.PROBLEMS_MAX]


def _broken(named: NamedPolicy) -> str | None:
    return named.policy.message if isinstance(named.policy, BrokenPolicy) else None


def _odd(model: ObservedModel | UnreadableModel) -> str | None:
    return model.message if isinstance(model, UnreadableModel) else model.problem or None
