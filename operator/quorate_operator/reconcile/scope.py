"""Which policies may select the pods of a model, as far as that can be known without a pod."""

from collections.abc import Iterable

from quorate.admission.snapshot import BrokenPolicy
from quorate.policy.compiled import CompiledPolicy, may_select

POLICIES_PER_MODEL = 32
"""As many as a status has room for. At most half as many may select one pod."""


def policies_for(
    policies: Iterable[CompiledPolicy], namespace: str, model: str
) -> tuple[CompiledPolicy, ...]:
    """Cluster policies first, then by name, so that two looks see the same order."""
    chosen = [
        policy
        for policy in policies
        if policy.ref.namespace in (None, namespace) and may_select(policy.spec.selector, model)
    ]
    return tuple(sorted(chosen, key=lambda policy: (policy.ref.kind, policy.ref.name)))


def broken_for(policies: Iterable[BrokenPolicy], namespace: str) -> tuple[BrokenPolicy, ...]:
    """Policies that do not compile and deny the pods of a namespace."""
    chosen = (policy for policy in policies if policy.namespace in (None, namespace))
    return tuple(sorted(chosen, key=lambda policy: policy.ref))
