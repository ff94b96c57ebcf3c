"""Which policies select a pod, and what they leave allowed, worked out once per kind of pod.

Pods of one Deployment differ in nothing a selector looks at, so the answer is remembered by
namespace and by those labels that any selector names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quorate.errors import QuorateError
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy, selects
from quorate.policy.runtime import RuntimeRules
from quorate.verdict import Verdict

REMEMBERED_MAX = 4096
"""Answers kept; a tenant chooses labels, so there must be a bound."""


KEYS_MAX = 64
"""Labels that selectors of one namespace may name if answers are to be kept."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The policies that select a pod and, intersected, what they say."""

    policies: tuple[CompiledPolicy, ...]
    verdict: Verdict
    """Why the policies cannot be used; allowed if they can."""
    exempt: frozenset[str]
    """Images a pod may consist of without being a model pod."""
    servers: frozenset[str]
    kinds: Mapping[str, tuple[str | None, ...]]
    """Which server each image is, as every policy that names it says."""
    pins: Mapping[str, Mapping[str, str]]
    """Digests that tagged images are pinned to, with the policy that says so."""
    sources: frozenset[str]
    downloaders: frozenset[str]
    volumes: frozenset[tuple[str, str]]
    places: Mapping[tuple[str, str], frozenset[str]]
    """Where of these may be mounted what may not be anywhere."""
    rules: RuntimeRules | None
    conflict: QuorateError | None
    """Why there are no rules."""
    names: str
    """The policies, for messages."""
    owner: str
    """Who answers for them, for messages."""


class Selections:
    """Remembers selections of one, unchanging set of policies."""

    def __init__(self, policies: Iterable[CompiledPolicy]) -> None:
        self._policies = tuple(policies)
        self._scopes: dict[str, _Scope] = {}
        self._remembered: dict[tuple[str, ...], Selection] = {}

    def of(self, namespace: str, labels: dict[str, str]) -> Selection:
        """The selection for a pod with these labels in this namespace."""
        scope = self._scopes.get(namespace) or self._scope(namespace)
        # A label with an empty value is not an absent one; no label value holds a space.
        key = (namespace, *[labels.get(name, " ") for name in scope.keys])
        found = self._remembered.get(key)
        if found is None:
            found = _select(scope.policies, namespace, labels)
            if len(scope.keys) > KEYS_MAX:
                return found
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _scope(self, namespace: str) -> "_Scope":
        """What may select pods of a namespace: what others write costs it nothing."""
        if len(self._scopes) >= REMEMBERED_MAX:
            self._scopes.clear()
        policies = tuple(p for p in self._policies if p.ref.namespace in (None, namespace))
        keys = tuple(sorted({key for policy in policies for key in _label_keys(policy)}))
        found = self._scopes[namespace] = _Scope(policies, keys)
        return found


@dataclass(frozen=True, slots=True)
class _Scope:
    policies: tuple[CompiledPolicy, ...]
    keys: tuple[str, ...]
    """Labels that any of their selectors names."""


def _label_keys(policy: CompiledPolicy) -> set[str]:
    selector = policy.spec.selector
    return set(selector.match_labels) | {part.key for part in selector.match_expressions}


def _select(
    policies: tuple[CompiledPolicy, ...], namespace: str, labels: dict[str, str]
) -> Selection:
    selected = intersect.select(policies, namespace, labels)
    floors = [p.exempt for p in policies if p.is_cluster and selects(p.spec.selector, labels)]
    rules: RuntimeRules | None = None
    conflict: QuorateError | None = None
    try:
        rules = intersect.runtime_rules(selected.policies)
    except QuorateError as error:
        conflict = error
    contacts = (policy.safety_contact for policy in selected.policies)
    return Selection(
        policies=selected.policies,
        verdict=selected.verdict,
        exempt=frozenset.intersection(*floors) if floors else frozenset(),
        servers=intersect.allowed_servers(selected.policies),
        kinds=intersect.server_kinds(selected.policies),
        pins=intersect.image_pins(selected.policies),
        sources=intersect.allowed_sources(selected.policies),
        downloaders=intersect.allowed_downloaders(selected.policies),
        volumes=intersect.allowed_volumes(selected.policies),
        places=intersect.volume_places(selected.policies),
        rules=rules,
        conflict=conflict,
        names=", ".join(str(policy.ref) for policy in selected.policies),
        owner=", ".join(dict.fromkeys(contact for contact in contacts if contact)),
    )
