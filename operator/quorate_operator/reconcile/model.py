"""What to do about an AttestedModel: have it judged, and write how it stands. Pure.

One look either asks the members or writes the status, so that a status is never half of two looks.
A model is not judged while nobody knows what its sources hold: what is missing may be what it
needs, and a denial revokes. Its certificates count until they expire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from quorate import names
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1.attested_model import AttestedModelStatus
from quorate.api.v1alpha1.document_source import SourceStatus
from quorate.certificate import PolicyRef
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason
from quorate_operator.kinds import Key
from quorate_operator.model_view import ModelView
from quorate_operator.reconcile.actions import Action, ApplyStatus, EmitEvent, Evaluate, Target
from quorate_operator.reconcile.conditions import (
    READY,
    SOURCES_READ,
    TYPES,
    Observation,
    Situation,
    dated,
    observe,
)
from quorate_operator.reconcile.lateness import late_at, late_renewals
from quorate_operator.reconcile.outcome import Outcome, Question
from quorate_operator.reconcile.scope import POLICIES_PER_MODEL, broken_for, policies_for
from quorate_operator.reconcile.standing import Standing, stand
from quorate_operator.sources.gathered import statuses
from quorate_operator.world import Known


@dataclass(frozen=True, slots=True)
class SeenModel:
    """A model and all that bears on it."""

    key: Key
    known: Known
    view: ModelView
    policies: tuple[CompiledPolicy, ...]
    """All of the cluster; those that cannot be for this model are left out here."""
    broken: tuple[BrokenPolicy, ...]
    outcomes: Mapping[PolicyRef, Outcome]
    enforced: bool
    served: bool
    images: Mapping[PolicyRef, Known] = field(default_factory=dict)
    """Policies whose server images must be signed."""

    @property
    def target(self) -> Target:
        """The model as the target of an action."""
        return Target(self.key, self.known.uid, names.API_VERSION)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to look again if nothing changes before."""

    actions: tuple[Action, ...] = ()
    look_again_at: datetime | None = None


def plan_model(seen: SeenModel, now: datetime) -> Plan:
    """Ask about every policy that is due; if none is, write the status if it differs."""
    found = policies_for(seen.policies, seen.key.namespace, seen.key.name)
    chosen = () if seen.view.malformed else found[:POLICIES_PER_MODEL]
    standings = [
        stand(_question(seen, policy), seen.outcomes.get(policy.ref), now) for policy in chosen
    ]
    due = [] if seen.known.unread else [s for s in standings if _is_due(seen, s, now)]
    if due:
        asks = tuple(Evaluate(seen.key, standing.policy.ref) for standing in due)
        return Plan((*_first_visit(seen, now), *asks))
    situation = Situation(
        standings=standings,
        broken=broken_for(seen.broken, seen.key.namespace),
        policies_found=len(found),
        enforced=seen.enforced,
        has_owners=seen.view.owners is not None,
        malformed=seen.view.malformed,
        sources=_sources(seen),
    )
    written = _write(seen, standings, observe(situation), now)
    late = late_renewals(seen.target, seen.view.owners, standings, now) if seen.served else ()
    return Plan((*written, *late), _next_look(standings, now))


def _question(seen: SeenModel, policy: CompiledPolicy) -> Question:
    known = seen.images.get(policy.ref)
    return Question(seen.key, seen.known, policy, known.documents if known else "")


def _is_due(seen: SeenModel, standing: Standing, now: datetime) -> bool:
    """Whether to ask now. Where images are kept is asked first, once; then the model is looked at
    again: judging before would only be judging twice."""
    images = seen.images.get(standing.policy.ref)
    return standing.ask_at <= now and not (images and images.untried)


def _next_look(standings: list[Standing], now: datetime) -> datetime | None:
    ends = [s.certificate.statement.expires_at for s in standings if s.certificate]
    late = [due for standing in standings if (due := late_at(standing)) is not None]
    times = [standing.ask_at for standing in standings] + ends + late
    return min((time for time in times if time > now), default=None)


def _first_visit(seen: SeenModel, now: datetime) -> tuple[Action, ...]:
    """Unknown, until the first answer, so that a person sees that the model was noticed."""
    if seen.view.status is not None:
        return ()
    pending = Observation("Unknown", Reason.VERIFICATION_PENDING, "the model is being verified")
    status = AttestedModelStatus(
        # The generation is not claimed: nothing was judged yet.
        conditions=dated(dict.fromkeys(TYPES, pending), (), seen.known.generation, now),
    )
    return (_apply(seen, status),)


def _write(
    seen: SeenModel, standings: list[Standing], conditions: dict[str, Observation], now: datetime
) -> tuple[Action, ...]:
    current = seen.view.status
    before = current.conditions if current else []
    sources = _sources(seen)
    status = AttestedModelStatus(
        observed_generation=seen.known.generation,
        conditions=dated(conditions, before, seen.known.generation, now),
        policies=[standing.status for standing in standings],
        certificates=[c for s in standings if (c := s.certificate_status) is not None],
        sources=sources,
    )
    if current == status:
        return ()
    was = {condition.type: condition.status for condition in before}
    events = [
        event
        for kind, action in ((SOURCES_READ, "ReadSources"), (READY, "Verify"))
        if kind in conditions
        for event in _announce(seen, conditions[kind], was.get(kind), action)
    ]
    return (_apply(seen, status), *events)


def _sources(seen: SeenModel) -> list[SourceStatus]:
    return statuses(seen.known.gathered, seen.known.recorded) if seen.known.gathered else []


def _announce(
    seen: SeenModel, observed: Observation, was: str | None, action: str
) -> tuple[Action, ...]:
    if observed.status in (was, "Unknown"):
        return ()
    kind: Literal["Normal", "Warning"] = "Normal" if observed.status == "True" else "Warning"
    return (EmitEvent(seen.target, kind, observed.reason, observed.message, action),)


def _apply(seen: SeenModel, status: AttestedModelStatus) -> ApplyStatus:
    version = seen.known.resource_version
    # The API server refuses null where a field may only be absent.
    document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return ApplyStatus(seen.target, version, document)
