"""Pods of enforced namespaces in brief, so that tens of thousands fit."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from quorate import names
from quorate.admission import pods
from quorate_cli.cluster.kinds import POD, Document
from quorate_cli.cluster.reader import Reader

STALE_MAX = 20
"""Pods named that were injected for another genesis; more are only counted."""


@dataclass(slots=True)
class PodCensus:
    """Counts and sets over many pods; no pod is kept."""

    running: int = 0
    gated: int = 0
    measuring: int = 0
    """Past the gate, not ready yet."""
    unprotected: int = 0
    """Model pods without injection: admitted while nothing enforced."""
    exempt: int = 0
    images: set[str] = field(default_factory=set)
    """Digests of the images in use."""
    genesis: Counter[str] = field(default_factory=Counter)
    """Genesis digests in the arguments of injected containers, with their pods' count."""
    of_genesis: dict[str, list[str]] = field(default_factory=dict)
    """Some pods of each."""

    def add(self, pod: Document) -> None:
        """Count one pod; finished ones count for nothing."""
        status = pod.get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed"):
            return
        for _, container in pods.all_containers(pod):
            if digest := pods.image_digest(container):
                self.images.add(digest)
        injected = {c["name"]: c for c in pods.init_containers(pod) if c["name"] in pods.INJECTED}
        if not injected:
            if pods.model_name(pod):
                self.unprotected += 1
            else:
                self.exempt += 1
            return
        digest = genesis_digest(injected.get(names.MEASURE_CONTAINER, {}))
        self.genesis[digest] += 1
        known = self.of_genesis.setdefault(digest, [])
        if len(known) < STALE_MAX:
            known.append(pods.display_name(pod))
        ready = any(
            c.get("type") == "Ready" and c.get("status") == "True"
            for c in status.get("conditions") or ()
        )
        if pods.is_gated(pod):
            self.gated += 1
        elif ready:
            self.running += 1
        else:
            self.measuring += 1


def genesis_digest(container: Document) -> str:
    """What the injected container's arguments pin; empty if nothing."""
    args = [str(arg) for arg in container.get("args") or ()]
    found = args.index("--genesis-digest") if "--genesis-digest" in args else len(args)
    return args[found + 1] if found + 1 < len(args) else ""


def census(reader: Reader, namespaces: Iterable[str]) -> PodCensus:
    """Count the pods of these namespaces, page by page."""
    counted = PodCensus()
    for pod in _each(reader, namespaces):
        counted.add(pod)
    return counted


def _each(reader: Reader, namespaces: Iterable[str]) -> Iterator[Document]:
    for namespace in namespaces:
        yield from reader.each(POD, namespace)
