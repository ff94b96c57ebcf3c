"""Keys that are ready, a turn for each namespace: a tenant with much to do delays itself first."""

from collections import Counter, deque

from quorate_operator.kinds import Key


class Turns:
    """Ready keys of all namespaces. At most ``at_once`` of one namespace are out at a time.

    Namespaces take turns; within one the order is that of coming.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._ready: dict[str, deque[Key]] = {}
        """By namespace, in the order of their turns."""
        self._out: Counter[str] = Counter()

    def add(self, key: Key) -> None:
        """``key`` is ready."""
        self._ready.setdefault(key.namespace, deque()).append(key)

    def take(self) -> Key | None:
        """The next key, which is out until :meth:`back`; None if none may go out now."""
        # Few are passed over: only namespaces that have ``at_once`` out.
        free = (name for name in self._ready if self._out[name] < self._at_once)
        namespace = next(free, None)
        if namespace is None:
            return None
        keys = self._ready.pop(namespace)
        key = keys.popleft()
        if keys:
            self._ready[namespace] = keys
        self._out[namespace] += 1
        return key

    def back(self, key: Key) -> None:
        """``key`` is not out any more."""
        self._out[key.namespace] -= 1
        if not self._out[key.namespace]:
            del self._out[key.namespace]
