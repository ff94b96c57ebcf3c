"""What one member has not heard of yet. Each member has its own: one that is slow, or lies about
what it heard, takes nothing from the others.
"""

from collections.abc import Callable

from quorate import limits
from quorate_operator.kinds import Key

PENDING_MAX = limits.PODS_PER_CLUSTER
"""Things that wait for a member. Beyond that it is told everything anew when it answers."""


class Pending:
    """Changed objects and pods, each once and in order. ``on_change`` is called at every change."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.objects: dict[Key, None] = {}
        """Policies and models."""
        self.pods: dict[str, None] = {}
        """Pods whose containers may ask members, by UID."""
        self.overflowed = False
        """Whether something was dropped: only everything is enough now."""
        self._on_change = on_change

    def __len__(self) -> int:
        return len(self.objects) + len(self.pods)

    def add(self, key: Key) -> None:
        """A policy or a model came, was changed or went."""
        self.objects[key] = None
        self._changed()

    def add_pod(self, uid: str) -> None:
        """A protected pod came, was changed or went."""
        self.pods[uid] = None
        self._changed()

    def clear(self) -> None:
        """Nothing is pending: the member is about to be told everything."""
        self.objects.clear()
        self.pods.clear()
        self.overflowed = False

    def _changed(self) -> None:
        if len(self) > PENDING_MAX:
            self.clear()
            self.overflowed = True
        self._on_change()
