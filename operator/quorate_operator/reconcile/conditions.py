"""The conditions of an AttestedModel: Signed, GatesPassed, Certified and Ready. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1.attested_model import RequirementStatus
from quorate.api.v1alpha1.document_source import SourceStatus
from quorate.api.v1alpha1.meta import Condition
from quorate.api.v1alpha1.safety_exception import GATE_PREFIX
from quorate.policy.evaluate import SIGNED as SIGNED_REQUIREMENT
from quorate.verdict import Reason
from quorate_operator.reconcile.outcome import VERIFIED
from quorate_operator.reconcile.scope import POLICIES_PER_MODEL
from quorate_operator.reconcile.standing import Standing
from quorate_operator.reconcile.texts import clipped, timestamp
from quorate_operator.sources.gathered import FETCHED

SIGNED = "Signed"
GATES_PASSED = "GatesPassed"
CERTIFIED = "Certified"
READY = "Ready"
SOURCES_READ = "SourcesRead"
"""Only on models that name sources."""
TYPES = (SIGNED, GATES_PASSED, CERTIFIED, READY)
NO_GATE_REQUIRED = "NoGateRequired"
_MESSAGE_CHARS = 4096

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition before it is dated."""

    status: Truth
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the conditions are about."""

    standings: Sequence[Standing]
    broken: Sequence[BrokenPolicy]
    policies_found: int
    """Policies that may select the model's pods; beyond POLICIES_PER_MODEL they are not judged."""
    enforced: bool
    has_owners: bool
    malformed: str = ""
    """Why the object cannot be read; empty if it can."""
    sources: Sequence[SourceStatus] = ()


def observe(situation: Situation) -> dict[str, Observation]:
    """Every condition by its type."""
    if situation.malformed:
        # Nothing is known of it, so nothing holds: not even that it needs no gate.
        refused = Observation("False", Reason.MALFORMED, situation.malformed)
        return dict.fromkeys(TYPES, refused)
    signed = _requirements(situation.standings, lambda name: name == SIGNED_REQUIREMENT)
    gates = _requirements(situation.standings, lambda name: name.startswith(GATE_PREFIX))
    certified = _certified(situation)
    sources = {SOURCES_READ: _sources_read(situation.sources)} if situation.sources else {}
    return {
        SIGNED: signed
        or Observation("False", Reason.NO_PLATFORM_FLOOR, "no policy names signers for this model"),
        GATES_PASSED: gates
        or Observation("True", NO_GATE_REQUIRED, "no policy asks for a safety gate"),
        CERTIFIED: certified,
        READY: _blocked(situation) or certified,
        **sources,
    }


def dated(
    observations: dict[str, Observation],
    previous: Iterable[Condition],
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Conditions as they are written; the time changes only with the status."""
    before = {condition.type: condition for condition in previous}
    conditions = []
    for kind, seen in observations.items():
        last = before.get(kind)
        kept = last.last_transition_time if last and last.status == seen.status else None
        conditions.append(
            Condition(
                type=kind,
                status=seen.status,
                observed_generation=generation,
                last_transition_time=kept or timestamp(now),
                reason=seen.reason,
                message=clipped(seen.message, _MESSAGE_CHARS),
            )
        )
    return conditions


def _sources_read(sources: Sequence[SourceStatus]) -> Observation:
    for status in ("False", "Unknown"):
        found = [source for source in sources if source.status == status]
        if found:
            lines = (f"{source.field}[{source.name}]: {source.message}" for source in found)
            return Observation(found[0].status, found[0].reason, "\n".join(lines))
    return Observation("True", FETCHED, f"{len(sources)} sources were read")


def _certified(situation: Situation) -> Observation:
    standings = situation.standings
    missing = [s for s in standings if s.certificate is None]
    if not standings:
        return Observation("False", Reason.NO_POLICY, "no policy may select a pod of this model")
    if not missing:
        names = ", ".join(str(s.policy.ref) for s in standings)
        return Observation("True", VERIFIED, f"certified for {names}")
    found = _summary([(s, r) for s in missing for r in s.requirements])
    if found is not None and found.status != "True":
        return found
    names = ", ".join(str(s.policy.ref) for s in missing)
    return Observation("False", Reason.CERTIFICATE_MISSING, f"no certificate for {names}")


def _blocked(situation: Situation) -> Observation | None:
    """What keeps the model's pods from running although it may be certified."""
    if situation.broken:
        lines = (f"{policy.ref}: {policy.message}" for policy in situation.broken)
        return Observation("False", Reason.INVALID_POLICY, "\n".join(lines))
    if situation.policies_found > POLICIES_PER_MODEL:
        message = f"{situation.policies_found} policies; at most {POLICIES_PER_MODEL} may apply"
        return Observation("False", Reason.TOO_MANY_POLICIES, message)
    floors = [s for s in situation.standings if s.policy.is_cluster and s.policy.signers]
    if situation.standings and not floors:
        message = "no ClusterSafetyPolicy that names signers may select a pod of this model"
        return Observation("False", Reason.NO_PLATFORM_FLOOR, message)
    if situation.enforced and not situation.has_owners:
        message = "spec.owners must be set where the namespace enforces"
        return Observation("False", Reason.MALFORMED, message)
    return None


def _requirements(
    standings: Iterable[Standing], wanted: Callable[[str], bool]
) -> Observation | None:
    return _summary([(s, r) for s in standings for r in s.requirements if wanted(r.name)])


def _summary(found: Sequence[tuple[Standing, RequirementStatus]]) -> Observation | None:
    """False if one is false, else Unknown if one is unknown, else True; None without any."""
    if not found:
        return None
    for status in ("False", "Unknown"):
        chosen = [(s, r) for s, r in found if r.status == status]
        if chosen:
            lines = dict.fromkeys(f"{s.policy.ref} {r.name}: {r.message}" for s, r in chosen)
            return Observation(chosen[0][1].status, chosen[0][1].reason, "\n".join(lines))
    names = dict.fromkeys(str(s.policy.ref) for s, _ in found)
    return Observation("True", VERIFIED, f"holds for {', '.join(names)}")
