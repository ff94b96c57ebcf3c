"""How much of what models hold inside themselves is kept here, and told to members. Pure.

Any tenant may write models of 1.5 MiB each, as many as etcd takes. What does not fit into the
budget of its namespace, or of all, is not taken in; its model is one that cannot be read, and
denies.
"""

from typing import Final

from quorate import limits
from quorate_operator.kinds import Key

FREE_BYTES: Final = 8 * limits.KIB
"""A model no larger than this always fits: a signature and a few gates. How many models there may
be is bounded elsewhere."""
TOTAL_BYTES: Final = 96 * limits.MIB
NAMESPACE_BYTES: Final = 16 * limits.MIB


class HeldBytes:
    """What each model takes, as JSON text."""

    def __init__(
        self, namespace_bytes: int = NAMESPACE_BYTES, total_bytes: int = TOTAL_BYTES
    ) -> None:
        self._namespace_bytes = namespace_bytes
        self._total_bytes = total_bytes
        self._held: dict[Key, int] = {}
        self._by_namespace: dict[str, int] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """Bytes of all models, those that always fit left out."""
        return self._total

    def take(self, key: Key, size: int) -> str:
        """Count a model in place of what it took before; why not, if there is no room for it."""
        self.release(key)
        if size <= FREE_BYTES:
            return ""
        own = self._by_namespace.get(key.namespace, 0)
        for used, most, whose in (
            (own, self._namespace_bytes, f"of namespace {key.namespace}"),
            (self._total, self._total_bytes, "of all namespaces"),
        ):
            if used + size > most:
                return (
                    f"the models {whose} hold {used} bytes of documents inside, and {size} more "
                    f"would be over {most}: keep documents in a registry or a ConfigMap "
                    "(spec.signaturesFrom, spec.evidenceFrom), or remove models; looked at again "
                    "within 10 minutes"
                )
        self._held[key] = size
        self._by_namespace[key.namespace] = own + size
        self._total += size
        return ""

    def release(self, key: Key) -> None:
        """The model is gone, or is about to be counted anew."""
        size = self._held.pop(key, 0)
        if not size:
            return
        self._total -= size
        left = self._by_namespace[key.namespace] - size
        if left:
            self._by_namespace[key.namespace] = left
        else:
            del self._by_namespace[key.namespace]
