"""SafetyExceptions by the workload they are for. Whether they are approved is judged at use."""

from collections.abc import Mapping
from typing import Any

from quorate import limits, names
from quorate.api.v1alpha1 import SafetyException
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput

Key = tuple[str, str]


class Exceptions:
    """Those that may count: in our namespace, and with an incident that is open."""

    def __init__(self) -> None:
        self.by_workload: dict[Key, tuple[SafetyException, ...]] = {}
        """By the workload's (namespace, name); at most EXCEPTIONS_PER_WORKLOAD each."""
        self._known: dict[Key, SafetyException | None] = {}

    def put(self, key: Key, document: Mapping[str, Any]) -> None:
        """Take in an object as the API server gives it."""
        before = self._known.get(key)
        try:
            exception = read(SafetyException, document)
        except InvalidInput:
            self._known[key] = None
        else:
            self._known[key] = exception if counts(exception) else None
        self._arrange(before, self._known[key])

    def remove(self, key: Key) -> None:
        """Forget one that was deleted."""
        self._arrange(self._known.pop(key, None))

    def keys(self) -> set[Key]:
        """Every object that is known, whether it may count or not."""
        return set(self._known)

    def _arrange(self, *changed: SafetyException | None) -> None:
        for workload in {about(one) for one in changed if one is not None}:
            found = [e for e in self._known.values() if e is not None and about(e) == workload]
            found.sort(key=lambda one: one.metadata.name)
            self.by_workload.pop(workload, None)
            if found:
                self.by_workload[workload] = tuple(found[: limits.EXCEPTIONS_PER_WORKLOAD])


def about(exception: SafetyException) -> Key:
    """The workload's (namespace, name)."""
    return exception.spec.workload.namespace, exception.spec.workload.model


def counts(exception: SafetyException) -> bool:
    """Whether it is worth verifying: the operator opens the incident first."""
    incident = exception.status.incident if exception.status else ""
    return exception.metadata.namespace == names.NAMESPACE and bool(incident)
