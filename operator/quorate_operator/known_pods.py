"""The pods that say which model they serve. Whole while they are gated, a few fields after that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from quorate.admission import pods
from quorate_io.member_api import ObservedContainer
from quorate_operator.kinds import POD, Key
from quorate_operator.observed_images import observe_containers

Document = Mapping[str, Any]
K = TypeVar("K")
_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class KnownPod:
    """A pod as far as the operator needs it. ``document`` is None once the gate is gone."""

    uid: str
    resource_version: str
    created_at: str
    model: str
    labels: Mapping[str, str]
    terminating: bool
    finished: bool
    controller: str
    """UID of the object that made it and would make another; empty without one."""
    document: dict[str, Any] | None
    node: str = ""
    """The node it is bound to; empty before."""
    containers: tuple[ObservedContainer, ...] = ()
    """Which images it was written with, and which the kubelet reports."""
    annotated: bool = False

    @property
    def runs(self) -> bool:
        """Whether its containers run, or may come to run."""
        return not self.finished


def know_pod(document: dict[str, Any]) -> KnownPod:
    """Read a pod as the API server gives it."""
    metadata = document["metadata"]
    phase = (document.get("status") or {}).get("phase", "")
    gated = pods.is_gated(document)
    return KnownPod(
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        created_at=metadata.get("creationTimestamp", ""),
        model=pods.model_name(document),
        labels=dict(pods.labels(document)),
        terminating="deletionTimestamp" in metadata,
        finished=phase in _FINISHED,
        controller=controller(metadata),
        document=_trimmed(document) if gated else None,
        node=document["spec"].get("nodeName") or "",
        containers=observe_containers(document),
        annotated=bool(metadata.get("annotations")),
    )


def controller(metadata: Document) -> str:
    """UID of the object that made a pod and would make another; empty without one."""
    owners = metadata.get("ownerReferences") or []
    return next((str(owner.get("uid", "")) for owner in owners if owner.get("controller")), "")


def _trimmed(document: dict[str, Any]) -> dict[str, Any]:
    """Without what no decision reads and what may be large."""
    dropped = ("managedFields", "annotations")
    metadata = {k: v for k, v in document["metadata"].items() if k not in dropped}
    return {"metadata": metadata, "spec": document["spec"]}


class KnownPods:
    """The pods, also by namespace and by model."""

    def __init__(self) -> None:
        self._pods: dict[Key, KnownPod] = {}
        self._by_namespace: dict[str, set[Key]] = {}
        self._by_model: dict[tuple[str, str], set[Key]] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, key: Key) -> KnownPod | None:
        """The pod, or None."""
        return self._pods.get(key)

    def keys(self) -> set[Key]:
        """All keys, as a copy."""
        return set(self._pods)

    def put(self, key: Key, pod: KnownPod) -> None:
        """Add or replace."""
        self.remove(key)
        self._pods[key] = pod
        self._by_namespace.setdefault(key.namespace, set()).add(key)
        self._by_model.setdefault((key.namespace, pod.model), set()).add(key)

    def remove(self, key: Key) -> None:
        """Forget, if known."""
        pod = self._pods.pop(key, None)
        if pod is not None:
            _discard(self._by_namespace, key.namespace, key)
            _discard(self._by_model, (key.namespace, pod.model), key)

    def of_namespace(self, namespace: str) -> Iterator[tuple[Key, KnownPod]]:
        """The pods of a namespace, as they are now."""
        return ((key, self._pods[key]) for key in list(self._by_namespace.get(namespace, ())))

    def gated(self, namespace: str | None = None, model: str | None = None) -> set[Key]:
        """Keys of gated pods: of a model, of a namespace, or all."""
        if namespace is None:
            keys = set(self._pods)
        elif model is None:
            keys = self._by_namespace.get(namespace, set())
        else:
            keys = self._by_model.get((namespace, model), set())
        return {key for key in keys if self._pods[key].document is not None}

    def serve(self, namespace: str, model: str) -> bool:
        """Whether any pod of this model runs or waits to."""
        keys = self._by_model.get((namespace, model), ())
        return any(self._pods[key].runs for key in keys)


def pod_key(document: Document) -> Key:
    """The key of a pod's document."""
    metadata = document["metadata"]
    return Key(POD.name, metadata.get("namespace", ""), metadata.get("name", ""))


def _discard(index: dict[K, set[Key]], at: K, key: Key) -> None:
    members = index.get(at, set())
    members.discard(key)
    if not members:
        index.pop(at, None)
