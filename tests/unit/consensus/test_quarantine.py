"""Quarantine: one record for one liar, resting on evidence that everybody recomputes."""

from typing import Any

import msgspec
import pytest

from quorate.consensus import quarantine, succession
from quorate.consensus.detector import Failures
from quorate.consensus.epoch import Change
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.quarantine import EVIDENCE_BYTES, Evidence
from quorate.consensus.thresholds import Thresholds
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, QuorateError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Canaried, Committee, digest

YES, NO = Verdict.APPROVE, Verdict.DENY
SCENE = Canaried()
C = SCENE.committee


def equivocation(committee: Committee, name: str) -> Equivocation:
    """``name`` denied, then approved."""
    return Equivocation((committee.vote(name, NO), committee.vote(name, YES, sequence=2)))


LIAR = equivocation(C, "m4")
FAILED = Failures("m4", NO, tuple(SCENE.result(n, ["m4"]) for n in range(6)))
EVIDENCE = pytest.mark.parametrize("evidence", [LIAR, FAILED], ids=["pair", "canaries"])


@EVIDENCE
def test_evidence_comes_back_as_it_was(evidence: Evidence) -> None:
    """Over the wire, with its kind."""
    assert quarantine.decode(quarantine.encode(evidence)) == evidence


@pytest.mark.requirement("committee: quarantine rests on evidence that everybody recomputes")
@EVIDENCE
def test_the_record_takes_one_vote_and_names_its_evidence(evidence: Evidence) -> None:
    """n, thresholds and everybody else stay; members alone sign; checkers get the same."""
    record = quarantine.propose(C.epoch, evidence, SIGNATURES)
    assert record.seats == C.seats(m4={"quarantined": True})
    assert record.thresholds == C.epoch.record.thresholds
    assert record.evidence == quarantine.digest_of(quarantine.encode(evidence))
    quarantine.check(record, C.epoch, quarantine.encode(evidence), SIGNATURES)
    after = succession.verify(C.epoch, C.endorse(record, 4), SIGNATURES)
    assert after.counted == {"m0", "m1", "m2", "m3"}
    assert len(after.members) == 5


def test_the_liars_own_signature_is_not_needed() -> None:
    """The four others are enough: it cannot keep its vote by saying nothing."""
    record = quarantine.propose(C.epoch, equivocation(C, "m0"), SIGNATURES)
    certified = C.endorse(record, 5)
    others = msgspec.structs.replace(certified, members=certified.members[1:])
    assert "m0" not in succession.verify(C.epoch, others, SIGNATURES).counted


def test_other_evidence_than_named_is_refused() -> None:
    """Evidence that convicts the same member, but is not what the record names."""
    record = quarantine.propose(C.epoch, LIAR, SIGNATURES)
    with pytest.raises(SubjectMismatch, match="rests on other evidence"):
        quarantine.check(record, C.epoch, quarantine.encode(FAILED), SIGNATURES)


@pytest.mark.requirement("committee: nobody is quarantined on evidence against another")
@EVIDENCE
def test_evidence_against_one_takes_no_others_vote(evidence: Evidence) -> None:
    """A record that names genuine evidence against m4 and takes m0's vote, or both."""
    data = quarantine.encode(evidence)
    record = quarantine.propose(C.epoch, evidence, SIGNATURES)
    for seats in (
        C.seats(m0={"quarantined": True}),
        C.seats(m0={"quarantined": True}, m4={"quarantined": True}),
        C.epoch.record.seats,
    ):
        framed = msgspec.structs.replace(record, seats=seats)
        with pytest.raises(SubjectMismatch, match="convicts somebody else"):
            quarantine.check(framed, C.epoch, data, SIGNATURES)


def test_at_most_r_are_quarantined() -> None:
    """One more, and the quorums would not be what they claim: people must act."""
    full = Committee(quarantined=["m3"])
    with pytest.raises(SubjectMismatch, match="1 under quarantine already, and r = 1") as refused:
        quarantine.propose(full.epoch, equivocation(full, "m4"), SIGNATURES)
    assert "committee replace" in refused.value.fix
    seven = Committee(Thresholds(n=7, fast=4, strict=5, r=2), quarantined=["m3"])
    record = quarantine.propose(seven.epoch, equivocation(seven, "m4"), SIGNATURES)
    assert succession.check(seven.epoch, record).counted == {"m0", "m1", "m2", "m5", "m6"}


def test_who_has_no_vote_loses_none() -> None:
    """A member under quarantine that lies again."""
    away = Committee(quarantined=["m4"])
    with pytest.raises(SubjectMismatch, match="m4 has no vote to lose"):
        quarantine.propose(away.epoch, equivocation(away, "m4"), SIGNATURES)


NO_EVIDENCE: list[tuple[str, Evidence]] = [
    ("tightened", Equivocation((C.vote("m4", YES), C.vote("m4", NO, sequence=2)))),
    ("two members", Equivocation((C.vote("m4", NO), C.vote("m3", YES, sequence=2)))),
    ("the same vote", Equivocation((C.vote("m4"), C.vote("m4")))),
    ("five canaries", msgspec.structs.replace(FAILED, results=FAILED.results[:5])),
    ("another member", msgspec.structs.replace(FAILED, member="m3")),
    ("another committee's", equivocation(Committee(), "m4")),
]


@pytest.mark.parametrize(("what", "evidence"), NO_EVIDENCE, ids=[row[0] for row in NO_EVIDENCE])
def test_what_convicts_nobody_makes_no_record(what: str, evidence: Evidence) -> None:
    """Nor does a record that somebody else made of it pass a checker."""
    with pytest.raises(QuorateError):
        quarantine.propose(C.epoch, evidence, SIGNATURES)
    data = quarantine.encode(evidence)
    record = C.next_record(
        Change.QUARANTINE,
        seats=C.seats(m4={"quarantined": True}),
        evidence=quarantine.digest_of(data),
    )
    with pytest.raises(QuorateError):
        quarantine.check(record, C.epoch, data, SIGNATURES)


def test_evidence_counts_in_its_own_epoch() -> None:
    """After the chain went on, what was signed before is of another epoch: who lies goes on lying,
    and is caught by what it signs now."""
    committee = Committee()
    old = equivocation(committee, "m4")
    committee.open(committee.next_record(Change.POLICIES, policies=digest("c")))
    with pytest.raises(SubjectMismatch, match="another epoch"):
        quarantine.propose(committee.epoch, old, SIGNATURES)
    assert quarantine.propose(committee.epoch, equivocation(committee, "m4"), SIGNATURES)


MALFORMED: list[Any] = [
    b"",
    b"x",
    b"e",
    b"f",
    b"f" + quarantine.encode(LIAR)[1:],
    b"e" + quarantine.encode(FAILED)[1:],
    quarantine.encode(LIAR)[:-1],
    quarantine.encode(LIAR) + b"\0",
    b"e" + b"\x91" * 50_000,
]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: repr(data[:8]))
def test_what_is_no_evidence_is_refused(data: bytes) -> None:
    """Of no kind, of another kind than it says, cut, or with more behind it."""
    with pytest.raises(InvalidInput):
        quarantine.decode(data)


def test_oversized_evidence_is_refused_unread() -> None:
    """The bound comes first."""
    with pytest.raises(LimitExceeded):
        quarantine.decode(bytes(EVIDENCE_BYTES + 1))
