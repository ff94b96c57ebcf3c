"""All policies that select a pod must hold; where they say a value, the strictest wins.

An error in one is a DENY. Silence is never an allowance: what no policy names is denied.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from quorate import limits
from quorate.errors import QuorateError
from quorate.policy.compiled import CompiledPolicy, selects
from quorate.policy.runtime import REMEASURE, STRICTNESS, CheckRule, Remeasure, RuntimeRules
from quorate.risk.route import strictest
from quorate.verdict import ALLOW, Reason, Verdict, deny

T = TypeVar("T")
TENANTS = frozenset({"configMap", "downwardAPI", "secret"})
"""Kinds of volumes whose files a tenant writes."""
SOURCES = frozenset({"Image", "ReadOnlyClaim"})
"""Where a model may come from unless a ClusterSafetyPolicy says otherwise: what cannot change."""


class PolicyConflict(QuorateError):
    """Two policies cannot both hold, or together leave something needed unsaid."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The policies that select a pod, or why their set cannot be used."""

    policies: tuple[CompiledPolicy, ...]
    verdict: Verdict = ALLOW


def select(policies: Iterable[CompiledPolicy], namespace: str, labels: dict[str, str]) -> Selected:
    """The policies for a pod of an enforced namespace.

    Denies unless a ClusterSafetyPolicy that names signers is among them: a tenant's own policy is
    never the only one.
    """
    chosen = tuple(
        policy
        for policy in policies
        if policy.ref.namespace in (None, namespace) and selects(policy.spec.selector, labels)
    )
    fix = "ask the platform team for a ClusterSafetyPolicy that selects the pod"
    if not chosen:
        return Selected((), deny(Reason.NO_POLICY, "no policy selects this pod", fix=fix))
    if len(chosen) > limits.POLICIES_PER_POD:
        message = f"{len(chosen)} policies select this pod; at most {limits.POLICIES_PER_POD} may"
        return Selected(chosen, deny(Reason.TOO_MANY_POLICIES, message))
    if not any(policy.is_cluster and policy.signers for policy in chosen):
        message = "no ClusterSafetyPolicy that names signers selects this pod"
        return Selected(chosen, deny(Reason.NO_PLATFORM_FLOOR, message, fix=fix))
    return Selected(chosen)


def is_exempt(
    policies: Iterable[CompiledPolicy], labels: dict[str, str], digests: frozenset[str]
) -> bool:
    """Whether a pod with these image digests needs no model.

    Exemptions intersect: every ClusterSafetyPolicy that selects the pod must list every digest, and
    there must be one.
    """
    floors = [p for p in policies if p.is_cluster and selects(p.spec.selector, labels)]
    return bool(floors) and bool(digests) and all(digests <= p.exempt for p in floors)


def allowed_servers(policies: Iterable[CompiledPolicy]) -> frozenset[str]:
    """Digests of images every policy that names servers allows; see :func:`_allowed`."""
    return _allowed(
        (policy, frozenset(server.digest for server in policy.spec.model.servers))
        for policy in policies
        if policy.spec.model.servers is not None
    )


def server_kinds(policies: Iterable[CompiledPolicy]) -> dict[str, tuple[str | None, ...]]:
    """Kinds by image digest, each policy's once: a pod must pass the table of every one.

    None stands for a policy that sets no kind: a tenant's own cannot make a platform's laxer.
    """
    kinds: dict[str, dict[str | None, None]] = {}
    for policy in policies:
        for server in policy.spec.model.servers or ():
            kinds.setdefault(server.digest, {})[server.kind] = None
    return {digest: tuple(found) for digest, found in kinds.items()}


def image_pins(policies: Iterable[CompiledPolicy]) -> dict[str, dict[str, str]]:
    """By tagged image, the digests it is pinned to and the policy that says so first.

    More than one digest is a conflict: such a tag stands for nothing.
    """
    pins: dict[str, dict[str, str]] = {}
    for policy in policies:
        for server in policy.spec.model.servers or ():
            if server.image is not None:
                pins.setdefault(server.image, {}).setdefault(server.digest, str(policy.ref))
    return pins


def allowed_downloaders(policies: Iterable[CompiledPolicy]) -> frozenset[str]:
    """Digests of images every policy that names downloaders allows; see :func:`_allowed`."""
    return _allowed(
        (policy, frozenset(downloader.digest for downloader in policy.spec.model.downloaders))
        for policy in policies
        if policy.spec.model.downloaders is not None
    )


def allowed_sources(policies: Iterable[CompiledPolicy]) -> frozenset[str]:
    """Kinds of places a model may come from: what every policy that says so allows.

    A tenant's policy may narrow the platform's, or what holds where the platform says nothing.
    """
    named = [policy for policy in policies if policy.spec.model.sources is not None]
    sets = [frozenset[str](policy.spec.model.sources or ()) for policy in named]
    if not any(policy.is_cluster for policy in named):
        sets.append(SOURCES)
    return frozenset.intersection(*sets)


def allowed_volumes(policies: Iterable[CompiledPolicy]) -> frozenset[tuple[str, str]]:
    """``(name, kind)`` of volumes every policy that names any allows; see :func:`_allowed`."""
    return _allowed(
        (policy, frozenset((volume.name, volume.kind) for volume in policy.spec.model.volumes))
        for policy in policies
        if policy.spec.model.volumes is not None
    )


def volume_places(
    policies: Iterable[CompiledPolicy],
) -> dict[tuple[str, str], frozenset[str]]:
    """Where a volume may be mounted, by ``(name, kind)``; one without an entry, anywhere.

    Two places are none, and so is silence of the platform about a volume whose files tenants write.
    """
    places: dict[tuple[str, str], frozenset[str]] = {}
    unplaced: set[tuple[str, str]] = set()
    placed: set[tuple[str, str]] = set()
    for policy in policies:
        for volume in policy.spec.model.volumes or ():
            key = (volume.name, volume.kind)
            if volume.kind in TENANTS:
                unplaced.add(key)
            if volume.mount_path is not None:
                place = frozenset({volume.mount_path})
                places[key] = places.get(key, place) & place
                placed |= {key} if policy.is_cluster else set()
    return places | {key: frozenset[str]() for key in unplaced - placed}


def _allowed(named: Iterable[tuple[CompiledPolicy, frozenset[T]]]) -> frozenset[T]:
    """What all of them allow. A tenant's policy narrows what the platform's allow, and no more:
    where no ClusterSafetyPolicy names anything, nothing is allowed."""
    found = list(named)
    if not any(policy.is_cluster for policy, _ in found):
        return frozenset()
    return frozenset.intersection(*(allowed for _, allowed in found))


def runtime_rules(policies: tuple[CompiledPolicy, ...]) -> RuntimeRules:
    """The rules the sidecar enforces. Raises PolicyConflict if they cannot be one set of rules."""
    upstreams = [p.spec.runtime.upstream for p in policies if p.spec.runtime.upstream]
    bounds = [policy.spec.runtime.limits for policy in policies]
    if not upstreams:
        raise PolicyConflict(
            "no policy that selects the pod names spec.runtime.upstream.port",
            fix="name the model server's port in one of them",
        )
    ports = sorted({upstream.port for upstream in upstreams})
    if len(ports) > 1:
        raise PolicyConflict(
            f"policies name different ports: {', '.join(map(str, ports))}",
            fix="make spec.runtime.upstream.port the same in all of them",
        )
    probe_sets = [frozenset(upstream.probe_paths) for upstream in upstreams]
    metrics = {upstream.metrics_path for upstream in upstreams}
    return RuntimeRules(
        port=ports[0],
        probe_paths=tuple(sorted(frozenset.intersection(*probe_sets))),
        metrics_path=metrics.pop() if len(metrics) == 1 else None,
        max_request_bytes=min(b.max_request_bytes for b in bounds),
        max_response_bytes=min(b.max_response_bytes for b in bounds),
        requests_per_minute=min(b.requests_per_minute for b in bounds),
        checks=_strictest_checks(policies),
        remeasure=_most_often(policies),
        risk=tuple(policy.risk for policy in policies if policy.risk),
        voting=strictest(policy.voting for policy in policies if policy.voting),
    )


def _most_often(policies: tuple[CompiledPolicy, ...]) -> Remeasure:
    asked = [policy.spec.runtime.remeasure for policy in policies]
    found = Remeasure(
        min(remeasure.scan_seconds for remeasure in asked),
        min(remeasure.rehash_seconds for remeasure in asked),
    )
    # The very default, so that it is not sent.
    return REMEASURE if found == REMEASURE else found


def _strictest_checks(policies: tuple[CompiledPolicy, ...]) -> tuple[CheckRule, ...]:
    strictest: dict[str, CheckRule] = {}
    for policy in policies:
        for check in policy.spec.runtime.checks:
            known = strictest.get(check.name)
            if known is None or STRICTNESS[check.action] > STRICTNESS[known.action]:
                strictest[check.name] = CheckRule(check.name, check.action)
    return tuple(strictest[name] for name in sorted(strictest))
