"""The SafetyCommittee's status, and what of it people are told when it changes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from quorate.api.v1alpha1.meta import Condition
from quorate.api.v1alpha1.safety_committee import (
    CHAIN_MAX,
    Candidate,
    EpochStatus,
    MemberStatus,
    ProposalStatus,
    Replacement,
    SafetyCommitteeStatus,
    ThresholdsStatus,
)
from quorate.consensus.epoch import Epoch, encode, material_of, open_epoch
from quorate_operator.reconcile.actions import EmitEvent, Target
from quorate_operator.reconcile.committee_chain import Tail, text_of
from quorate_operator.reconcile.committee_conditions import BAD_IF_TRUE, MemberSeen
from quorate_operator.reconcile.committee_replacement import NOTHING, Prepared
from quorate_operator.reconcile.conditions import Observation, dated
from quorate_operator.reconcile.texts import clipped, timestamp

ACTION: Final = "Certify"
_WARNED: Final = {"Declined": "ProposalDeclined", "Superseded": "ProposalSuperseded"}
_GOOD: Final = {"Collecting": "ProposalTaken", "Certified": "ProposalCertified"}


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything the status is made of."""

    generation: int
    head: Epoch
    members: Sequence[MemberSeen]
    last_answers: Mapping[str, datetime]
    """Of members that do not answer now."""
    observed: Mapping[str, Observation]
    candidate: Candidate | None
    proposals: Sequence[ProposalStatus]
    tail: Tail
    prepared: Prepared = NOTHING


def status_of(
    seen: Seen, before: SafetyCommitteeStatus | None, now: datetime
) -> SafetyCommitteeStatus:
    """The whole status."""
    thresholds = seen.head.record.thresholds
    conditions = before.conditions if before is not None else []
    return SafetyCommitteeStatus(
        observed_generation=seen.generation,
        conditions=dated(dict(seen.observed), conditions, seen.generation, now),
        members=_members(seen, before),
        epoch=_epoch(seen.head, before, now),
        thresholds=ThresholdsStatus(
            n=thresholds.n, fast=thresholds.fast, strict=thresholds.strict, r=thresholds.r
        ),
        candidate=seen.candidate,
        proposals=list(seen.proposals),
        replacement=_replacement(seen.prepared),
        chain=[text_of(one) for one in seen.tail[-CHAIN_MAX:]],
    )


def _replacement(prepared: Prepared) -> Replacement | None:
    record, joins = prepared.record, prepared.joins
    if record is None or joins is None or prepared.acknowledged:
        return None
    return Replacement(
        member=prepared.leaves,
        by=joins.name,
        key_id=material_of(joins.key),
        number=record.number,
        digest=open_epoch(record).digest_text,
        record=encode(record).decode("utf-8"),
    )


def _epoch(head: Epoch, before: SafetyCommitteeStatus | None, now: datetime) -> EpochStatus:
    known = before.epoch if before is not None else None
    same = known is not None and known.digest == head.digest_text
    return EpochStatus(
        number=head.record.number,
        digest=head.digest_text,
        change=head.record.change,
        since=known.since if known is not None and same else timestamp(now),
    )


def _members(seen: Seen, before: SafetyCommitteeStatus | None) -> list[MemberStatus]:
    by_name = {member.name: member for member in seen.members}
    known = {member.name: member for member in before.members} if before is not None else {}
    found = []
    for seat in seen.head.record.seats:
        member, was = by_name.get(seat.name), known.get(seat.name)
        reachable = member is not None and member.reachable
        # Said once: computed anew it would be another second each time.
        last = was.last_answer if was is not None else None
        if last is None and seat.name in seen.last_answers:
            last = timestamp(seen.last_answers[seat.name])
        found.append(
            MemberStatus(
                name=seat.name,
                failure_domain=seat.failure_domain,
                judges=seat.judges,
                quarantined=seat.quarantined,
                reachable=reachable,
                behind=member is not None and bool(member.behind),
                last_answer=None if reachable else last,
            )
        )
    return found


def events_between(
    before: SafetyCommitteeStatus | None, after: SafetyCommitteeStatus, target: Target
) -> Iterator[EmitEvent]:
    """One for each proposal and each condition that has come to stand otherwise."""
    phases = {one.name: (one.digest, one.phase) for one in before.proposals} if before else {}
    for one in after.proposals:
        reason = _WARNED.get(one.phase) or _GOOD.get(one.phase)
        if reason is None or phases.get(one.name) == (one.digest, one.phase):
            continue
        kind: Literal["Normal", "Warning"] = "Warning" if one.phase in _WARNED else "Normal"
        note = clipped(f"{one.name}: {one.message}" if one.message else one.name)
        yield EmitEvent(target, kind, reason, note, ACTION)
    was = {c.type: c.status for c in before.conditions} if before else {}
    for condition in after.conditions:
        if was.get(condition.type, "") not in ("", condition.status):
            yield _turned(condition, target)


def _turned(condition: Condition, target: Target) -> EmitEvent:
    bad = "True" if condition.type in BAD_IF_TRUE else "False"
    kind: Literal["Normal", "Warning"] = "Warning" if condition.status == bad else "Normal"
    note = clipped(f"{condition.type} is {condition.status}: {condition.message}")
    return EmitEvent(target, kind, condition.reason, note, "Observe")
