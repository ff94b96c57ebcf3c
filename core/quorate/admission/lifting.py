"""What people may do to a model pod that runs, because a SafetyException lifts the refusal."""

from datetime import datetime

import msgspec

from quorate.admission.model import KnownModel
from quorate.admission.selection import Selection
from quorate.admission.snapshot import Snapshot
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.exceptions import lifted


class Lifting(msgspec.Struct, frozen=True):
    """Whether every refusal is lifted, and whose are not."""

    is_lifted: bool
    refusing: tuple[CompiledPolicy, ...]
    """ClusterSafetyPolicies that still refuse."""


def lifting(
    requirements: frozenset[str],
    selection: Selection,
    known: KnownModel | None,
    snapshot: Snapshot,
    now: datetime,
) -> Lifting:
    """Whether exceptions lift one of ``requirements`` of every ClusterSafetyPolicy that selects the
    pod. An exception lifts the refusal of one.
    """
    floors = tuple(policy for policy in selection.policies if policy.is_cluster)
    if known is None:
        return Lifting(False, floors)
    workload = (known.namespace, known.name, known.manifest_digest)
    exceptions = snapshot.exceptions.get(workload[:2], ())
    refusing = tuple(
        policy
        for policy in floors
        if requirements.isdisjoint(lifted(exceptions, policy, workload, snapshot.cluster_id, now))
    )
    return Lifting(bool(floors) and not refusing and selection.verdict.allowed, refusing)
