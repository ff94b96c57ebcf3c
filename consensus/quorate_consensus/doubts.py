"""What a member requires of a record before it signs, beside what the chain's rules say.

Members sign last: a record that people must sign is signed by them before any member does, or
somebody could collect the members' signatures for what people did not sign. What a record rests on
is computed again: evidence from its votes, policies from what this member was told of.
"""

from enum import StrEnum

from quorate.consensus import clean_run, quarantine, succession
from quorate.consensus.epoch import Change, Epoch, EpochRecord, material_of
from quorate.consensus.keys import KeySignatures
from quorate.errors import EvidenceError, QuorateError
from quorate.policy import in_force
from quorate_consensus.observed import Observed
from quorate_io.member_api import Proposal

SIGNATURES = KeySignatures()


class Why(StrEnum):
    """Why this member does not sign. Stable words, beside core's :class:`chain.Objection`."""

    NO_DIRECTORY = "NoDirectory"
    CHAIN_LOST = "ChainLost"
    OTHER_KEY = "OtherKey"
    ADMINS = "AdministratorsMissing"
    EVIDENCE = "EvidenceRefuted"
    NOT_EVIDENCE = "EvidenceUnasked"
    CLUSTER_UNKNOWN = "ClusterUnknown"
    POLICIES = "OtherPolicies"


class Doubt(EvidenceError):
    """A record that may follow, and that this member does not stand in for."""

    def __init__(self, why: Why, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.why = why


def of(proposal: Proposal, head: Epoch, observed: Observed | None) -> Doubt | None:
    """The first doubt about a proposal, or None. ``observed``: what the operator told of.

    Of a record that may not follow ``head`` nothing is said: the chain's rules refuse it. Takes
    up to a second for the largest evidence. Pure.
    """
    record = proposal.record
    try:
        succession.check(head, record)
    except QuorateError:
        return None
    try:
        succession.check_admins(head, record, proposal.admins, SIGNATURES)
    except QuorateError as error:
        return Doubt(Why.ADMINS, str(error), fix="have the administrators sign before members do")
    if record.change is Change.QUARANTINE:
        return _of_evidence(proposal, head)
    if record.change is Change.READMISSION and record.evidence is not None:
        return _of_clean_run(proposal, head)
    if proposal.evidence:
        return Doubt(Why.NOT_EVIDENCE, f"a {record.change} names no evidence")
    if record.change is Change.POLICIES:
        return _of_policies(record, observed)
    return None


def is_signed_by_people(proposal: Proposal, head: Epoch) -> bool:
    """Whether so many administrators of ``head`` signed it as it needs: then it is brought by
    them, and whoever carries it needs no token. Never of what the members alone decide."""
    if succession.required(head, proposal.record).admins == 0:
        return False
    try:
        succession.check_admins(head, proposal.record, proposal.admins, SIGNATURES)
    except QuorateError:
        return False
    return True


def of_identity(member: str, key_id: str, head: Epoch) -> Doubt | None:
    """Whether the epoch in force names this member with another key: then its signature counts for
    nothing. That it has no seat is for the chain's rules to say."""
    seat = head.seat(member)
    if seat is None or material_of(seat.key) == key_id:
        return None
    return Doubt(
        Why.OTHER_KEY,
        f"epoch {head.record.number} has {member} with another key",
        fix="restart the member with the key that the epoch names",
    )


def _of_evidence(proposal: Proposal, head: Epoch) -> Doubt | None:
    try:
        quarantine.check(proposal.record, head, proposal.evidence, SIGNATURES)
    except QuorateError as error:
        return Doubt(Why.EVIDENCE, f"the evidence does not hold up: {error}")
    return None


def _of_clean_run(proposal: Proposal, head: Epoch) -> Doubt | None:
    try:
        clean_run.check(proposal.record, head, proposal.evidence, SIGNATURES)
    except QuorateError as error:
        return Doubt(
            Why.EVIDENCE,
            f"the run of clean canaries does not hold up: {error}",
            fix="propose it with a longer run, or without any: then administrators vouch for it",
        )
    return None


def _of_policies(record: EpochRecord, observed: Observed | None) -> Doubt | None:
    if observed is None:
        return Doubt(
            Why.CLUSTER_UNKNOWN,
            "this member does not know yet what the cluster holds",
            fix="propose it again; see the operator's Pods if this lasts",
        )
    broken = observed.broken_for("")
    if broken is not None:
        return Doubt(Why.POLICIES, f"{broken.ref} cannot be used: {broken.message}")
    found = in_force.digest(observed.policies_for(""))
    if found != record.policies:
        return Doubt(
            Why.POLICIES,
            f"the ClusterSafetyPolicies that this member knows are {found}",
            fix="apply the policies first, then propose the digest of what is applied",
        )
    return None
