"""What the judge looks up: the member's own copies of policies and models."""

from typing import Protocol

from quorate.policy.compiled import CompiledPolicy
from quorate_consensus.observed import ObservedModel, UnreadableModel
from quorate_consensus.relay import Relay


class Known(Protocol):
    """Policies and models as the member knows them. Asked on the event loop only."""

    def model(self, namespace: str, name: str) -> ObservedModel | UnreadableModel | None:
        """A model, or None."""

    def policies(self, namespace: str) -> tuple[CompiledPolicy, ...]:
        """The policies that may be about a workload of ``namespace``."""

    def is_broken(self, namespace: str) -> bool:
        """Whether a policy that may be about such a workload cannot be used."""


class Relayed:
    """What the operator relayed. Nothing, until it has."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def model(self, namespace: str, name: str) -> ObservedModel | UnreadableModel | None:
        """A model, or None."""
        current = self._relay.current
        return current.models.get((namespace, name)) if current is not None else None

    def policies(self, namespace: str) -> tuple[CompiledPolicy, ...]:
        """The policies of the namespace and of the cluster."""
        current = self._relay.current
        return current.policies_for(namespace) if current is not None else ()

    def is_broken(self, namespace: str) -> bool:
        """Whether one of them cannot be used."""
        current = self._relay.current
        return current is None or current.broken_for(namespace) is not None
