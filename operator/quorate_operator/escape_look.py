"""What one look at the pods of enforcing namespaces found. Bounded, whatever there is."""

from collections import Counter
from typing import Any

from quorate.admission import pods
from quorate.admission.escape import Escape
from quorate_operator.reconcile.escape import FoundEscape

FOUND_MAX = 256
FOUND_PER_NAMESPACE = 32
"""Escapes that are kept from one look, and of one namespace. Others are counted, and their turn
comes at a later look."""

Document = dict[str, Any]


class EscapeLook:
    """Counts escapes, and keeps some."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.namespaces: Counter[str] = Counter()
        self.kept: dict[str, list[FoundEscape]] = {}
        """By namespace, in the order of the look."""
        self.tolerated: set[str] = set()
        """UIDs of pods without a mark that ran when this process first looked."""
        self.whole = True
        """Whether every namespace could be listed."""
        self._room = FOUND_MAX

    def add(self, pod: Document, found: Escape) -> None:
        """Count it, and keep it if there is room."""
        namespace = pods.namespace(pod)
        self.counts[found.rule] += 1
        self.namespaces[namespace] += 1
        of_namespace = self.kept.setdefault(namespace, [])
        if self._room and len(of_namespace) < FOUND_PER_NAMESPACE:
            of_namespace.append(FoundEscape(_trimmed(pod), found))
            self._room -= 1


def _trimmed(pod: Document) -> Document:
    """Without what no decision reads and what may be large."""
    metadata = {key: value for key, value in pod["metadata"].items() if key != "managedFields"}
    status = {"phase": (pod.get("status") or {}).get("phase", "")}
    return {"metadata": metadata, "spec": pod["spec"], "status": status}
