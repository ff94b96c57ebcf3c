"""The conditions of the SafetyCommittee, and the alerts for them. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from quorate import names
from quorate.alerts import Rule
from quorate.consensus import judge_errors
from quorate.consensus.dependence import RELEASE_PHI
from quorate.consensus.epoch import Epoch
from quorate_operator.reconcile.actions import RaiseAlert, Target
from quorate_operator.reconcile.committee_replacement import NOTHING, Prepared, awaits
from quorate_operator.reconcile.conditions import Observation
from quorate_operator.reconcile.texts import clipped

AVAILABLE: Final = "Available"
DEGRADED: Final = "Degraded"
JUDGES_DIVERSE: Final = "JudgesDiverse"
EPOCH_CURRENT: Final = "EpochCurrent"
ALL_TRUSTED: Final = "AllTrusted"
BEYOND: Final = "EvidenceBeyondR"
"""Reason of AllTrusted=False while more are convicted than may be under quarantine."""
AWAITS: Final = "AwaitsAcknowledgement"
BAD_IF_TRUE: Final = frozenset({DEGRADED, AWAITS})
DEGRADED_SECONDS: Final = 180.0
"""A committee that has been degraded for so long is an alert; an upgrade of one member is not."""


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A member whose word counts. ``behind``: None if it did not say."""

    name: str
    reachable: bool
    behind: bool | None = None


def observe(
    head: Epoch,
    members: Sequence[MemberSeen],
    beyond: Collection[str] = (),
    prepared: Prepared = NOTHING,
) -> dict[str, Observation]:
    """Every condition by its type. ``members``: those whose word counts; ``beyond``: those that
    are convicted and keep their votes; ``prepared``: for whom is under quarantine."""
    return {
        AVAILABLE: _available(head, members),
        DEGRADED: _degraded(head, members),
        JUDGES_DIVERSE: _diverse(head),
        EPOCH_CURRENT: _current(members),
        ALL_TRUSTED: _trusted(head, beyond),
        AWAITS: awaits(prepared),
    }


def _live(members: Sequence[MemberSeen]) -> list[str]:
    return [member.name for member in members if member.reachable]


def _said(head: Epoch, members: Sequence[MemberSeen]) -> str:
    """Who answers and who does not, for people."""
    away = [member.name for member in members if not member.reachable]
    lying = [seat.name for seat in head.record.seats if seat.quarantined]
    parts = [f"{len(_live(members))} of {head.record.thresholds.n} members answer"]
    if away:
        parts.append(f"not {', '.join(away)}")
    if lying:
        parts.append(f"under quarantine: {', '.join(lying)}")
    return "; ".join(parts)


def _available(head: Epoch, members: Sequence[MemberSeen]) -> Observation:
    strict = head.record.thresholds.strict
    message = f"{_said(head, members)}; {strict} must sign"
    if len(_live(members)) >= strict:
        return Observation("True", "QuorumAnswers", message)
    return Observation("False", "TooFewAnswer", message)


def _degraded(head: Epoch, members: Sequence[MemberSeen]) -> Observation:
    limits = head.record.thresholds
    # A committee whose members must all sign has none to spare, and that was somebody's choice.
    wanted = min(limits.strict + 1, limits.n)
    live, message = len(_live(members)), _said(head, members)
    if live >= wanted:
        return Observation("False", "EnoughAnswer", message)
    if live >= limits.strict:
        message = f"{message}; without one more nothing is certified"
        return Observation("True", "NoneToSpare", message)
    return Observation("True", "TooFewAnswer", f"{message}; {limits.strict} must sign")


def _diverse(head: Epoch) -> Observation:
    seats = [seat for seat in head.record.seats if not seat.quarantined]
    by_judges: dict[str, list[str]] = defaultdict(list)
    for seat in seats:
        by_judges[seat.judges].append(seat.name)
    shared = [" and ".join(found) for found in by_judges.values() if len(found) > 1]
    if shared:
        message = f"{'; '.join(shared)} go by the same judges: they are one opinion"
        return Observation("False", "JudgesShared", message)
    measured = {
        couple: judge_errors.pair(couple[0].judges, couple[1].judges)
        for couple in combinations(seats, 2)
    }
    together = [
        pair.told(one.name, other.name)
        for (one, other), pair in measured.items()
        if pair is not None and pair.errs_together(RELEASE_PHI)
    ]
    if together:
        message = f"{'; '.join(together)}: give one of them judges that the other lacks"
        return Observation("False", "ErrTogether", message)
    unknown = sum(pair is None for pair in measured.values())
    message = "no two members go by the same judges, and none that were measured err together"
    if unknown:
        message += (
            f"; {unknown} of {len(measured)} pairs have judges that do not ship: not measured"
        )
    return Observation("True", "AllDiffer", message)


def _trusted(head: Epoch, beyond: Collection[str]) -> Observation:
    away = [seat.name for seat in head.record.seats if seat.quarantined]
    if beyond:
        limit = head.record.thresholds.r
        message = (
            f"{', '.join(sorted(beyond))}: convicted too, and keeps its vote: r = {limit}, and "
            f"under quarantine already: {', '.join(away) or 'nobody'}. More lie than may"
        )
        return Observation("False", BEYOND, message)
    if not away:
        return Observation("True", "NoneQuarantined", "every member's vote counts")
    message = f"{', '.join(away)}: convicted by what it signed; its vote counts for nothing"
    return Observation("False", "MemberQuarantined", message)


def _current(members: Sequence[MemberSeen]) -> Observation:
    behind = [member.name for member in members if member.reachable and member.behind]
    if behind:
        message = f"{', '.join(behind)}: in an earlier epoch"
        return Observation("False", "MembersBehind", message)
    if not any(member.behind is False for member in members):
        return Observation("Unknown", "NobodyAsked", "no member told of its epoch yet")
    return Observation("True", "SameEpoch", "all that answer are in the epoch in force")


def alerts(
    seen: Mapping[str, Observation], degraded_seconds: float, subject: Target
) -> tuple[RaiseAlert, ...]:
    """What people must know of. ``degraded_seconds``: for how long it has been."""
    found = []
    if degraded_seconds >= DEGRADED_SECONDS and seen[DEGRADED].status == "True":
        summary = clipped(f"the committee is degraded: {seen[DEGRADED].message}")
        found.append(RaiseAlert(Rule.COMMITTEE_DEGRADED, subject, names.NAMESPACE, summary))
    if seen[JUDGES_DIVERSE].status == "False":
        summary = clipped(f"members are no independent opinions: {seen[JUDGES_DIVERSE].message}")
        found.append(RaiseAlert(Rule.JUDGES_NOT_DIVERSE, subject, names.NAMESPACE, summary))
    if seen[ALL_TRUSTED].reason == BEYOND:
        summary = clipped(
            f"evidence convicts more members than may be: {seen[ALL_TRUSTED].message}"
        )
        found.append(RaiseAlert(Rule.EVIDENCE_BEYOND_R, subject, names.NAMESPACE, summary))
    elif seen[ALL_TRUSTED].status == "False":
        summary = clipped(f"a member lied: {seen[ALL_TRUSTED].message}")
        found.append(RaiseAlert(Rule.MEMBER_QUARANTINED, subject, names.NAMESPACE, summary))
    if seen[AWAITS].status == "True":
        summary = clipped(f"a replacement is prepared: {seen[AWAITS].message}")
        found.append(RaiseAlert(Rule.REPLACEMENT_PREPARED, subject, names.NAMESPACE, summary))
    return tuple(found)


def ended(seen: Mapping[str, Observation]) -> set[Rule]:
    """The alerts whose reason is there no more."""
    calm = {(DEGRADED, "False"): Rule.COMMITTEE_DEGRADED}
    calm[JUDGES_DIVERSE, "True"] = Rule.JUDGES_NOT_DIVERSE
    calm[ALL_TRUSTED, "True"] = Rule.MEMBER_QUARANTINED
    calm[AWAITS, "False"] = Rule.REPLACEMENT_PREPARED
    over = {rule for (kind, status), rule in calm.items() if seen[kind].status == status}
    return over if seen[ALL_TRUSTED].reason == BEYOND else over | {Rule.EVIDENCE_BEYOND_R}
