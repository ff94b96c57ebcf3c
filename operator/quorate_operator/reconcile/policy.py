"""What to do about a policy: say whether it compiles, and under which digest. Pure."""

from datetime import datetime

from pydantic import ValidationError

from quorate import names
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1.safety_policy import SafetyPolicyStatus
from quorate.verdict import Reason
from quorate_operator.kinds import Key
from quorate_operator.reconcile.actions import Action, ApplyStatus, EmitEvent, Target
from quorate_operator.reconcile.conditions import Observation, dated
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
    current = _current(known)
    before = current.conditions if current else []
    status = SafetyPolicyStatus(
        observed_generation=known.generation,
        digest=digest,
        conditions=dated({ACCEPTED: seen}, before, known.generation, now),
    )
    if current == status:
        return ()
    target = Target(key, known.uid, names.API_VERSION)
    document = status.model_dump(mode="json", by_alias=True)
    written = ApplyStatus(target, known.resource_version, document)
    was = next((c.status for c in before if c.type == ACCEPTED), "True")
    if seen.status == was or seen.status == "True":
        return (written,)
    return (written, EmitEvent(target, "Warning", seen.reason, seen.message, "Compile"))


def _current(known: Known) -> SafetyPolicyStatus | None:
    try:
        return SafetyPolicyStatus.model_validate(known.policy_status)
    except ValidationError:
        return None
