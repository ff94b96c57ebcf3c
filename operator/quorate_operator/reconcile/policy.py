"""What to do about a policy: say whether it compiles, and under which digest. Pure."""

from datetime import datetime

from quorate import names
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1.safety_policy import SafetyPolicyStatus
from quorate.verdict import Reason
from quorate_operator.kinds import Key
from quorate_operator.reconcile.actions import Action, ApplyStatus, EmitEvent, Target
from quorate_operator.reconcile.conditions import Observation, dated
from quorate_operator.sources.gathered import statuses
from quorate_operator.sources.images import policy_status
from quorate_operator.world import Known

ACCEPTED = "Accepted"
COMPILED = "Compiled"


def plan_policy(key: Key, known: Known, now: datetime) -> tuple[Action, ...]:
    """Write the status if it differs, and tell people of a policy that has stopped compiling."""
    policy = known.policy
    if policy is None:
        return ()
    if isinstance(policy, BrokenPolicy):
        seen, digest = Observation("False", Reason.INVALID_POLICY, policy.message), ""
    else:
        seen, digest = Observation("True", COMPILED, f"digest {policy.digest}"), policy.digest
    current = policy_status(known.policy_status)
    before = current.conditions if current else []
    status = SafetyPolicyStatus(
        observed_generation=known.generation,
        digest=digest,
        conditions=dated({ACCEPTED: seen}, before, known.generation, now),
        sources=statuses(known.gathered, known.recorded) if known.gathered else [],
    )
    if current == status:
        return ()
    target = Target(key, known.uid, names.API_VERSION)
    # The API server refuses null where a field may only be absent.
    document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    written = ApplyStatus(target, known.resource_version, document)
    was = next((c.status for c in before if c.type == ACCEPTED), "True")
    if seen.status == was or seen.status == "True":
        return (written,)
    return (written, EmitEvent(target, "Warning", seen.reason, seen.message, "Compile"))
