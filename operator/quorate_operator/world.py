"""What the operator observes of the cluster. Pure: who watches the API server is not its affair.

Every change returns the keys of the objects that must be looked at again because of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from quorate import limits, names
from quorate.admission.snapshot import BrokenPolicy
from quorate.admission.store import Store
from quorate.admission.suspension import Suspension, suspension_of
from quorate.api.v1alpha1.document_source import SourceField, SourceStatus
from quorate.canonical import digest_of
from quorate.consensus.history import History
from quorate.policy.compiled import CompiledPolicy
from quorate_io.member_api import ObservedPod
from quorate_operator.held_bytes import HeldBytes
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLAIM,
    NAMESPACE,
    POD,
    POLICY_KINDS,
    SAFETY_EXCEPTION,
    SOURCED_KINDS,
    Key,
    Kind,
)
from quorate_operator.known_pods import KnownPods, know_pod
from quorate_operator.model_view import ModelView, reconsidered, refused_view, view_model
from quorate_operator.pending import Pending
from quorate_operator.relayed import (
    measured,
    relayed,
    relayed_pod,
    with_certificates,
    with_images,
    without_spec,
)
from quorate_operator.sources.completion import complete
from quorate_operator.sources.gathered import Gathered, SourceKey, begin, recorded_sources
from quorate_operator.sources.images import fetched_images, image_sources, policy_status

Document = dict[str, Any]
ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Known:
    """A policy or a model: identity, and what members are told of it."""

    uid: str
    generation: int
    resource_version: str
    relayed: Document
    """With what its sources hold, and a model with the certificates of its status."""
    policy: CompiledPolicy | BrokenPolicy | None = None
    policy_status: Mapping[str, Any] | None = None
    model: ModelView | None = None
    declared: Document = field(default_factory=dict)
    """What is relayed, without what its sources hold."""
    gathered: Gathered | None = None
    """What its sources hold."""
    exceptions: tuple[Document, ...] = ()
    """For a model: SafetyExceptions that may lift a requirement."""
    refused: bool = False
    """A model there was no room for: the same version is looked at when it is listed again."""

    @property
    def unread(self) -> bool:
        """Whether it is not known yet what a source holds."""
        return self.gathered is not None and self.gathered.unread

    @property
    def untried(self) -> bool:
        """Whether a source was not asked yet."""
        return self.gathered is not None and self.gathered.untried

    @property
    def documents(self) -> str:
        """Stands for what this is judged with besides itself: documents that were fetched for it,
        and exceptions. Of a policy, also for what was not read: it is judged all the same.
        """
        fetched = self.gathered.version if self.gathered else ""
        if self.policy and self.gathered:
            unread = [state.source.name for state in self.gathered.states if state.unread]
            fetched = " ".join([fetched, *unread])
        return f"{fetched}|{digest_of(list(self.exceptions))}" if self.exceptions else fetched

    @property
    def recorded(self) -> dict[SourceKey, SourceStatus]:
        """What the status says of the sources."""
        status = self.model.status if self.model else policy_status(self.policy_status)
        return recorded_sources(status, self.generation)

    @property
    def inline(self) -> Mapping[SourceField, int]:
        """Documents inside the object that take the place of fetched ones."""
        return self.model.inline if self.model else {}

    def completed(self) -> "Known":
        """The object with what is relayed of it, made of its parts."""
        if self.model is None:
            whole = with_images(self.declared, fetched_images(self.gathered))
            return replace(self, relayed=whole)
        whole = complete(self.declared, self.gathered)
        if self.exceptions:
            whole = whole | {"exceptions": list(self.exceptions)}
        return replace(self, relayed=with_certificates(whole, self.model.envelopes))


class World:
    """Policies, models, claims, namespaces and pods, and what of them members must hear."""

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self.history = history
        """With what certificates are verified as they come in. Only ever longer."""
        self.pods = KnownPods()
        self.modes: dict[str, str] = {}
        """Namespaces that carry the mode label."""
        self.suspended: dict[str, Suspension] = {}
        """Of these, those that enforce again by themselves."""
        self.protected: dict[str, ObservedPod] = {}
        """Pods whose containers may ask members, by UID."""
        self.exceptions: dict[Key, Document] = {}
        """SafetyExceptions as the API server gave them."""
        self._objects: dict[str, dict[Key, Known]] = {kind: {} for kind in SOURCED_KINDS}
        self._uids: dict[Key, str] = {}
        self._held_bytes = HeldBytes()
        self._pending: list[Pending] = []

    @property
    def cluster_id(self) -> str:
        """Of the cluster this is."""
        return self.history.head.cluster_id

    def follow(self, history: History) -> set[Key]:
        """Verify with these epochs from now on. Returns models that lost a certificate by it."""
        self.history = history
        self.store.follow(history)
        models, lost = self._objects[ATTESTED_MODEL.name], set()
        for key, known in models.items():
            view = known.model and reconsidered(known.model, history)
            if view is not known.model:
                models[key] = replace(known, model=view).completed()
                self._changed(key)
                lost.add(key)
        return lost

    def attach(self, pending: Pending) -> None:
        """Note in ``pending`` whatever changes from now on."""
        self._pending.append(pending)

    def detach(self, pending: Pending) -> None:
        """Note nothing in it any more."""
        self._pending.remove(pending)

    def get(self, key: Key) -> Known | None:
        """A policy or a model, or None."""
        return self._objects[key.kind].get(key)

    def models(self, namespace: str | None = None) -> set[Key]:
        """Keys of the models of a namespace, or of all."""
        models = self._objects[ATTESTED_MODEL.name]
        return {key for key in models if namespace in (None, key.namespace)}

    def compiled(self) -> tuple[CompiledPolicy, ...]:
        """All policies that compile."""
        return tuple(p for p in self._policies() if isinstance(p, CompiledPolicy))

    def broken(self) -> tuple[BrokenPolicy, ...]:
        """All policies that do not."""
        return tuple(p for p in self._policies() if isinstance(p, BrokenPolicy))

    def enforces(self, namespace: str) -> bool:
        """Whether the namespace is labelled to enforce."""
        return self.modes.get(namespace) == ENFORCE

    def keys(self, kind: str) -> set[Key]:
        """Which objects of a kind are known."""
        if kind == POD.name:
            return self.pods.keys()
        if kind == NAMESPACE.name:
            return {Key(kind, "", name) for name in self.modes}
        if kind == CLAIM.name:
            return {Key(kind, *key) for key in self.store.keys(kind)}
        if kind == SAFETY_EXCEPTION.name:
            return set(self.exceptions)
        return set(self._objects[kind])

    def put(self, kind: Kind, document: Document, now: datetime) -> set[Key]:
        """Take in an object as the API server gives it, unless a newer one is known."""
        metadata = document["metadata"]
        key = Key(kind.name, metadata.get("namespace", ""), metadata["name"])
        if self._is_older(key, metadata):
            return set()
        self._uids[key] = metadata.get("uid", "")
        if kind is POD:
            return self._put_pod(key, document)
        if kind is NAMESPACE:
            labels = metadata.get("labels") or {}
            self._note_suspension(document)
            return self._put_mode(key.name, labels.get(kind.label_selector))
        if kind is CLAIM:
            self.store.put_claim(document)
            return self.pods.gated(key.namespace)
        if kind is SAFETY_EXCEPTION:
            document = {**document, "kind": kind.name, "apiVersion": kind.api_version}
            self.exceptions[key] = document
            self.store.put_exception(document)
            return self._with_exceptions()
        return self._put_own(kind, key, document, now)

    def put_gathered(self, key: Key, gathered: Gathered) -> set[Key]:
        """Take in what the sources of a model or a policy hold now."""
        known = self._objects[key.kind].get(key)
        if known is None or known.gathered == gathered:
            return set()
        found = self._objects[key.kind][key] = replace(known, gathered=gathered).completed()
        if found.relayed != known.relayed:
            self._changed(key)
        if key.kind == ATTESTED_MODEL.name:
            return {key}
        same = (found.documents, found.untried) == (known.documents, known.untried)
        return {key} if same else self._concerned(key) | {key}

    def remove(self, key: Key, uid: str = "") -> set[Key]:
        """Forget an object that is gone, unless another of the same name has taken its place."""
        if uid and self._uids.get(key, uid) != uid:
            return set()
        self._uids.pop(key, None)
        if key.kind == POD.name:
            return self._remove_pod(key)
        if key.kind == NAMESPACE.name:
            self.suspended.pop(key.name, None)
            return self._put_mode(key.name, None)
        self.store.remove(key.kind, (key.namespace, key.name))
        if key.kind == CLAIM.name:
            return self.pods.gated(key.namespace)
        if key.kind == SAFETY_EXCEPTION.name:
            self.exceptions.pop(key, None)
            return self._with_exceptions()
        self._held_bytes.release(key)
        if self._objects[key.kind].pop(key, None) is None:
            return set()
        self._changed(key)
        # The object itself too: a look at what is gone forgets what was asked about it.
        return self._concerned(key) | {key}

    def resync(self) -> set[Key]:
        """Every key there is, to look at all again."""
        return {key for kind in SOURCED_KINDS for key in self._objects[kind]} | self.pods.gated()

    def _policies(self) -> Iterator[CompiledPolicy | BrokenPolicy]:
        for kind in POLICY_KINDS:
            for known in self._objects[kind].values():
                if known.policy is not None:
                    yield known.policy

    def _is_older(self, key: Key, metadata: Mapping[str, Any]) -> bool:
        """Whether this is an older reading of the incarnation that is known, or the same one."""
        pod = self.pods.get(key) if key.kind == POD.name else None
        known = pod or self._objects.get(key.kind, {}).get(key)
        if known is None or known.uid != metadata.get("uid", ""):
            return False
        there, here = metadata.get("resourceVersion", ""), known.resource_version
        if there == here:
            return not (isinstance(known, Known) and known.refused)
        if there.isdecimal() and here.isdecimal():
            return int(there) < int(here)
        return False

    def _put_own(self, kind: Kind, key: Key, document: Document, now: datetime) -> set[Key]:
        document = {**document, "kind": kind.name, "apiVersion": kind.api_version}
        objects = self._objects[kind.name]
        before = objects.get(key)
        if before is None and kind is ATTESTED_MODEL and len(objects) >= limits.MODELS_PER_CLUSTER:
            return set()
        objects[key] = known = self._read(kind, document, now, before)
        same_spec = before is not None and before.relayed == known.relayed
        if not same_spec:
            self._changed(key)
        if same_spec and kind.name in POLICY_KINDS:
            return {key}
        return self._concerned(key) | {key}

    def _read(self, kind: Kind, document: Document, now: datetime, before: Known | None) -> Known:
        metadata = document["metadata"]
        declared, size = measured(document, kind.name)
        known = Known(
            uid=metadata.get("uid", ""),
            generation=metadata.get("generation", 0),
            resource_version=metadata.get("resourceVersion", ""),
            relayed=declared,
            declared=declared,
        )
        held = before.gathered if before is not None and before.uid == known.uid else None
        if kind is ATTESTED_MODEL:
            key = Key(kind.name, metadata["namespace"], metadata["name"])
            if why := self._held_bytes.take(key, size):
                return self._refused(known, document, key, why)
            self.store.put_model(document, now)
            view = view_model(document, self.history, now)
            whole = replace(
                known,
                model=view,
                gathered=begin(view.sources, held),
                exceptions=self._exceptions_for(metadata["namespace"], metadata["name"]),
            )
            return whole.completed()
        policy = self.store.put_policy(document)
        known = replace(known, policy=policy, policy_status=document.get("status"))
        return replace(known, gathered=begin(image_sources(policy), held)).completed()

    def _refused(self, known: Known, document: Document, key: Key, why: str) -> Known:
        """A model there is no room for: as one that cannot be read, until it is listed again."""
        self.store.remove(key.kind, (key.namespace, key.name))
        empty = without_spec(document, key.kind)
        return replace(
            known,
            relayed=empty,
            declared=empty,
            model=refused_view(document, why),
            refused=True,
        )

    def _exceptions_for(self, namespace: str, name: str) -> tuple[Document, ...]:
        found = self.store.snapshot().exceptions.get((namespace, name), ())
        keys = (Key(SAFETY_EXCEPTION.name, names.NAMESPACE, e.metadata.name) for e in found)
        return tuple(relayed(self.exceptions[key], key.kind) for key in keys)

    def _with_exceptions(self) -> set[Key]:
        """Exceptions came or went: the models that must be judged again with others."""
        concerned = set()
        for key, known in self._objects[ATTESTED_MODEL.name].items():
            exceptions = self._exceptions_for(key.namespace, key.name)
            if exceptions != known.exceptions:
                now = replace(known, exceptions=exceptions).completed()
                self._objects[ATTESTED_MODEL.name][key] = now
                self._changed(key)
                concerned.add(key)
        return concerned

    def _concerned(self, key: Key) -> set[Key]:
        """What must be judged again because a policy or model changed or went."""
        if key.kind == ATTESTED_MODEL.name:
            return self.pods.gated(key.namespace, key.name)
        scope = key.namespace or None
        return self.models(scope) | self.pods.gated(scope)

    def _note_suspension(self, namespace: Document) -> None:
        found = suspension_of(namespace)
        self.suspended.pop(namespace["metadata"]["name"], None)
        if found is not None:
            self.suspended[found.namespace] = found

    def _put_mode(self, namespace: str, mode: str | None) -> set[Key]:
        if self.modes.get(namespace) == mode:
            return set()
        if mode is None:
            self.modes.pop(namespace, None)
        else:
            self.modes[namespace] = mode
        for key, _ in self.pods.of_namespace(namespace):
            self._protect(key)
        return self.models(namespace) | self.pods.gated(namespace)

    def _put_pod(self, key: Key, document: Document) -> set[Key]:
        if self.pods.get(key) is None and len(self.pods) >= limits.PODS_PER_CLUSTER:
            return set()
        before = self.pods.get(key)
        pod = know_pod(document)
        if before is not None and before.uid != pod.uid:
            self._unprotect(before.uid)
        self.pods.put(key, pod)
        self._protect(key)
        return {key} if pod.document is not None else set()

    def _remove_pod(self, key: Key) -> set[Key]:
        pod = self.pods.get(key)
        self.pods.remove(key)
        if pod is not None:
            self._unprotect(pod.uid)
        return set()

    def _protect(self, key: Key) -> None:
        pod = self.pods.get(key)
        if pod is None:
            return
        told = None
        if self.enforces(key.namespace) and pod.runs and pod.model:
            told = relayed_pod(pod, key.namespace, key.name)
        if told is None:
            self._unprotect(pod.uid)
        elif self.protected.get(pod.uid) != told:
            self.protected[pod.uid] = told
            self._changed_pod(pod.uid)

    def _unprotect(self, uid: str) -> None:
        if self.protected.pop(uid, None) is not None:
            self._changed_pod(uid)

    def _changed(self, key: Key) -> None:
        for pending in self._pending:
            pending.add(key)

    def _changed_pod(self, uid: str) -> None:
        for pending in self._pending:
            pending.add_pod(uid)
