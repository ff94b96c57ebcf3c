"""The digest of the ClusterSafetyPolicies in force, as an epoch record names it."""

from collections.abc import Iterable

from quorate.canonical import digest_of
from quorate.policy.compiled import CompiledPolicy


def digest(policies: Iterable[CompiledPolicy]) -> str:
    """``sha256:<hex>`` of what these say, in whatever order; others than cluster policies are
    passed over. Of none it is :data:`quorate.genesis.NO_POLICIES`."""
    return digest_of(sorted(policy.digest for policy in policies if policy.is_cluster))
