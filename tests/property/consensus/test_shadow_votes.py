"""Votes cast in shadow: whatever is made of them, no approval and no accusation comes of it."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus import approval, ask, clean_run, wire
from quorate.consensus.approval import Subject, certify
from quorate.consensus.ask import Answered, Asking, Decision, Finished, Outcome
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.epoch import Change, Epoch
from quorate.consensus.thresholds import PRESETS, Thresholds, Tier
from quorate.consensus.wire import Verdict, Vote
from quorate.errors import QuorateError
from tests.fakes.ballots import SIGNATURES, Canaried, Committee, identity

YES, NO = Verdict.APPROVE, Verdict.DENY
EXAMPLES = settings(max_examples=150, deadline=None)
REQUEST = b'{"action":"call"}'
SUBJECT = Subject(wire.request_digest(REQUEST), Tier.STRICT, bytes(16), bytes(32))
SEVEN = Thresholds(n=7, fast=4, strict=5, r=2)
COMMITTEES = [
    Committee(PRESETS["standard"], quarantined=["m4"]),
    Committee(PRESETS["ha"], quarantined=["m0"]),
    Committee(SEVEN, quarantined=["m1", "m6"]),
]


def away(epoch: Epoch) -> set[str]:
    """Whose votes count for nothing."""
    return set(epoch.members) - epoch.counted


def put(committee: Committee, tier: Tier, *, veto: bool) -> Asking:
    """An ask about SUBJECT that was just sent."""
    begun, _ = ask.begin(
        committee.epoch,
        tier,
        REQUEST,
        nonce=SUBJECT.nonce,
        audience=SUBJECT.audience,
        now=0.0,
        budget=10.0,
        veto=veto,
    )
    return begun


def heard(asking: Asking, votes: Sequence[tuple[str, Vote]]) -> Outcome | None:
    """How it ended after these answers, if it did."""
    for name, vote in votes:
        asking, effects = ask.step(asking, Answered(name, wire.encode(vote)), 1.0, SIGNATURES)
        for effect in effects:
            assert not isinstance(effect, Finished) or effect.outcome == asking.outcome
    return asking.outcome


@pytest.mark.requirement("committee: a shadow vote can never become an approval")
@EXAMPLES
@given(
    committee=st.sampled_from(COMMITTEES),
    tier=st.sampled_from(Tier),
    veto=st.booleans(),
    data=st.data(),
)
def test_an_ask_ends_as_if_nobody_had_voted_in_shadow(
    committee: Committee, tier: Tier, *, veto: bool, data: st.DataObject
) -> None:
    """In any order, with any verdicts, twice, and however hard: the same outcome, by the votes of
    the same members; and no certificate with one of the others in it verifies."""
    epoch = committee.epoch
    subject = about(tier)
    verdicts = {name: data.draw(st.sampled_from(Verdict), name) for name in committee.names}
    hard = data.draw(st.booleans(), "hard")
    cast = {
        name: committee.vote(name, verdict, subject, hard=hard and verdict is NO)
        for name, verdict in verdicts.items()
    }
    order = data.draw(st.permutations([*committee.names, *away(epoch)]), "order")
    found = heard(put(committee, tier, veto=veto), [(name, cast[name]) for name in order])
    counted = [(name, cast[name]) for name in order if name in epoch.counted]
    expected = heard(put(committee, tier, veto=veto), counted)
    assert found is not None
    assert expected is not None
    assert (found.decision, found.cause, found.votes, found.certificate) == (
        expected.decision,
        expected.cause,
        expected.votes,
        expected.certificate,
    )
    approving = [name for name in epoch.counted if verdicts[name] is YES]
    if found.decision is Decision.APPROVE:
        assert len(approving) >= epoch.record.thresholds.needed(tier)


def about(tier: Tier) -> Subject:
    """SUBJECT at another tier."""
    return Subject(SUBJECT.request, tier, SUBJECT.nonce, SUBJECT.audience)


@pytest.mark.requirement("committee: a shadow vote can never become an approval")
@pytest.mark.parametrize("committee", COMMITTEES, ids=["5", "6", "7"])
@pytest.mark.parametrize("tier", Tier)
def test_no_set_of_votes_with_one_in_it_certifies(committee: Committee, tier: Tier) -> None:
    """All subsets, also those in which enough others approve."""
    subject = about(tier)
    cast = {name: committee.vote(name, YES, subject) for name in committee.names}
    out = away(committee.epoch)
    tried = 0
    for size in range(1, len(cast) + 1):
        for names in itertools.combinations(cast, size):
            certificate = certify(cast[name] for name in names)
            if out & set(names) or size < committee.epoch.record.thresholds.needed(tier):
                with pytest.raises(QuorateError):
                    approval.verify(certificate, committee.epoch, subject, SIGNATURES)
                tried += 1
            else:
                approval.verify(certificate, committee.epoch, subject, SIGNATURES)
    assert tried > 2 ** len(cast) / 2


@pytest.mark.requirement("committee: a shadow vote can never become an approval")
@EXAMPLES
@given(verdict=st.sampled_from(Verdict), ahead=st.booleans())
def test_it_counts_in_no_other_epoch(verdict: Verdict, *, ahead: bool) -> None:
    """Not after the member is back with another key, and not before it was away."""
    committee = Committee()
    before = committee.epoch
    committee.open(
        committee.next_record(Change.QUARANTINE, seats=committee.seats(m4={"quarantined": True}))
    )
    vote = committee.vote("m4", verdict)
    back = committee.seats(m4={"quarantined": False, "key": identity().public_key.pem})
    after = committee.open(committee.next_record(Change.READMISSION, seats=back))
    epoch = after if ahead else before
    others = [committee.vote(name) for name in ("m0", "m1", "m2")]
    with pytest.raises(QuorateError):
        approval.verify(certify([vote, *others]), epoch, SUBJECT, SIGNATURES)


SCENE = Canaried(quarantined=["m4"])
OTHERS = ["m0", "m1", "m2", "m3"]
RESULTS = [SCENE.result(n, silent=OTHERS) for n in (*range(8), *range(60, 68))]
WRONG = [SCENE.result(n, ["m4"], silent=OTHERS) for n in (*range(8), *range(60, 68))]


@pytest.mark.requirement("committee: nothing that speaks against a member is left out of its run")
@EXAMPLES
@given(
    picked=st.lists(st.tuples(st.integers(0, 15), st.booleans()), min_size=1, max_size=16),
)
def test_what_is_counted_was_right_and_next(picked: list[tuple[int, bool]]) -> None:
    """Whatever is put together: it counts only as rows of right answers without a gap."""
    run = CleanRun("m4", tuple((RESULTS if right else WRONG)[n] for n, right in picked))
    try:
        found = clean_run.count(run, SCENE.committee.epoch, SIGNATURES)
    except QuorateError:
        return
    numbers = [n for n, _ in picked]
    unsafe, safe = [n for n in numbers if n < 8], [n for n in numbers if n >= 8]
    assert all(right for _, right in picked)
    assert numbers == unsafe + safe
    for row in (unsafe, safe):
        assert row == list(range(row[0], row[0] + len(row))) if row else True
    assert (found.unsafe, found.safe) == (len(unsafe), len(safe))


@EXAMPLES
@given(data=st.binary(max_size=200), cut=st.integers(0, 400), flip=st.integers(1, 255))
def test_no_run_is_made_of_anything(data: bytes, cut: int, flip: int) -> None:
    """Garbage, and a good run with one byte changed: it counts no more than it did, or nothing."""
    good = clean_run.encode(CleanRun("m4", tuple(RESULTS[:2])))
    place = cut % len(good)
    changed = good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :]
    for one in (data, good[:place], changed):
        try:
            found = clean_run.count(clean_run.decode(one), SCENE.committee.epoch, SIGNATURES)
        except QuorateError:
            continue
        assert found.total <= 2
