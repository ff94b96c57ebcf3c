"""Certificates: votes of enough different members about exactly this ask, or no approval."""

from collections.abc import Callable
from typing import Any

import pytest

from quorate.consensus import approval
from quorate.consensus.approval import CERTIFICATE_BYTES, Subject, certify
from quorate.consensus.thresholds import PRESETS, Thresholds, Tier
from quorate.consensus.wire import Verdict, Vote
from quorate.errors import InvalidInput, LimitExceeded, SignatureError, SubjectMismatch
from tests.fakes.ballots import REQUEST, SIGNATURES, SUBJECT, Committee, subject_on

C = Committee()
FOUR = ["m0", "m1", "m2", "m3"]
FAST = Subject(SUBJECT.request, Tier.FAST, SUBJECT.nonce, SUBJECT.audience)


def verify(votes: list[Vote], subject: Subject = SUBJECT, by: Committee = C) -> frozenset[str]:
    """Who approved, by the certificate of ``votes``."""
    return approval.verify(certify(votes), by.epoch, subject, SIGNATURES).voters


def approvals(names: list[str], subject: Subject = SUBJECT) -> list[Vote]:
    """Approvals of ``names``."""
    return [C.vote(name, Verdict.APPROVE, subject) for name in names]


@pytest.mark.parametrize(
    ("thresholds", "tier"),
    [
        (thresholds, tier)
        for thresholds in [*PRESETS.values(), Thresholds(n=7, fast=4, strict=5, r=2)]
        for tier in Tier
    ],
)
def test_exactly_q_distinct_approvals_are_needed(thresholds: Thresholds, tier: Tier) -> None:
    """q approve, q-1 do not, for every preset and tier."""
    committee = Committee(thresholds)
    subject = subject_on(REQUEST, tier)
    names = committee.names[: thresholds.needed(tier)]
    certificate = committee.certificate(names, subject)
    shown = approval.verify(certificate, committee.epoch, subject, SIGNATURES)
    assert (shown.voters, shown.subject) == (frozenset(names), subject)
    if len(names) > 1:
        certificate = committee.certificate(names[1:], subject)
        with pytest.raises(SignatureError, match=f"{len(names) - 1} members approved"):
            approval.verify(certificate, committee.epoch, subject, SIGNATURES)


def test_under_veto_all_are_needed() -> None:
    """What is enough without a veto is not with one, whoever presents it."""
    four = certify(approvals(FOUR))
    with pytest.raises(SignatureError, match="4 members approved; strict needs 5"):
        approval.verify(four, C.epoch, SUBJECT, SIGNATURES, veto=True)
    five = certify(approvals([*FOUR, "m4"]))
    assert len(approval.verify(five, C.epoch, SUBJECT, SIGNATURES, veto=True).voters) == 5


@pytest.mark.requirement("committee: a member counts once in a certificate")
def test_a_member_counts_once() -> None:
    """The same vote again, or another ballot of the same member, adds nothing."""
    three = approvals(FOUR[:3])
    again = [three[0], C.vote("m0", sequence=2), C.vote("m0", incarnation=2)]
    for more in again:
        with pytest.raises(SignatureError, match="3 members approved; strict needs 4"):
            verify([*three, more])
    assert verify([*approvals(FOUR), again[0]]) == frozenset(FOUR)


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("nonce", {"nonce": b"m" * 16}),
    ("audience", {"audience": b"b" * 32}),
    ("tier", {"tier": Tier.FAST}),
    ("request", {"request": bytes(32)}),
]


@pytest.mark.requirement("committee: an approval is for one ask of one enforcement point")
@pytest.mark.parametrize(("what", "changes"), OTHERS, ids=[name for name, _ in OTHERS])
def test_one_vote_about_something_else_voids_the_certificate(
    what: str, changes: dict[str, Any]
) -> None:
    """Even beside q good ones, and whether it is one of them or all."""
    odd = C.vote("m4", **changes)
    with pytest.raises(SubjectMismatch, match=f"another {what}"):
        verify([*approvals(FOUR), odd])
    with pytest.raises(SubjectMismatch, match=f"another {what}"):
        verify([*approvals(FOUR[:3]), odd])
    with pytest.raises(SubjectMismatch, match=f"another {what}"):
        verify([C.vote(name, **changes) for name in FOUR])


def test_fast_approvals_are_no_strict_one() -> None:
    """Any number of votes of the fast tier, shown for a strict ask, and the other way round."""
    with pytest.raises(SubjectMismatch, match="another tier"):
        verify(approvals(C.names, FAST), SUBJECT)
    with pytest.raises(SubjectMismatch, match="another tier"):
        verify(approvals(C.names, SUBJECT), FAST)


def test_a_denial_voids_the_certificate() -> None:
    """Who puts one in is no honest asker, whatever stands beside it."""
    with pytest.raises(SubjectMismatch, match="m4 did not approve"):
        verify([*approvals(FOUR), C.vote("m4", Verdict.DENY)])


@pytest.mark.requirement("committee: votes of quarantined members count for nothing")
def test_a_quarantined_voter_voids_the_certificate() -> None:
    """It is no fourth approval, and no fifth either."""
    quarantined = Committee(quarantined=["m0"])
    for names in (FOUR, quarantined.names):
        votes = [quarantined.vote(name) for name in names]
        with pytest.raises(SubjectMismatch, match="m0 is under quarantine"):
            verify(votes, by=quarantined)
    rest = [quarantined.vote(name) for name in quarantined.names[1:]]
    assert len(verify(rest, by=quarantined)) == 4


def test_votes_of_another_epoch_void_the_certificate() -> None:
    """Of a committee with the same names and other keys, and of the same keys an epoch ago."""
    other = Committee()
    with pytest.raises(SubjectMismatch, match="another epoch"):
        verify([other.vote(name) for name in FOUR])


def test_a_forged_vote_voids_the_certificate() -> None:
    """A signature of another ballot, moved over."""
    votes = approvals(FOUR)
    forged = Vote(
        type(votes[0].ballot)(votes[0].ballot.body, votes[1].ballot.signature), votes[0].delegation
    )
    with pytest.raises(SignatureError, match="m0's vote key"):
        verify([forged, *votes[1:]])


@pytest.mark.parametrize(
    "data",
    [lambda: b"", lambda: b"\xc0", lambda: certify([]), lambda: certify(approvals(["m0"]) * 14)],
    ids=["empty", "nil", "no votes", "too many votes"],
)
def test_what_is_no_certificate_is_refused(data: Callable[[], bytes]) -> None:
    """Nothing, something else, none, or more votes than a committee can have."""
    with pytest.raises(InvalidInput):
        approval.verify(data(), C.epoch, SUBJECT, SIGNATURES)


def test_an_oversized_certificate_is_refused_unread() -> None:
    """The bound on its bytes comes first."""
    with pytest.raises(LimitExceeded):
        approval.verify(bytes(CERTIFICATE_BYTES + 1), C.epoch, SUBJECT, SIGNATURES)
