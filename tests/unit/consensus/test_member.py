"""A member: one verdict for one request in an epoch, kept before it is said."""

import dataclasses
from typing import Any

import pytest

from quorate.consensus import freeze, wire
from quorate.consensus.epoch import Change
from quorate.consensus.freeze import Freezes, Order, Scope, SignedOrder, Target
from quorate.consensus.keys import VoteKey
from quorate.consensus.member import (
    ASKS_MAX,
    NO_BALLOT,
    WAITING_MAX,
    Abstain,
    Asked,
    Drain,
    EpochOpened,
    FreezesKnown,
    Judge,
    Judged,
    Judgement,
    Member,
    Persist,
    Persisted,
    PersistFailed,
    Reply,
)
from quorate.consensus.signing import verify_vote
from quorate.consensus.succession import Endorsement
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Verdict
from quorate.errors import InvalidInput
from tests.fakes.ballots import CLUSTER, JUDGES, SIGNATURES, Committee
from tests.fakes.member_store import APPROVAL, DENIAL, NOW, TARGET, Host, answers, votes

YES, NO = Verdict.APPROVE, Verdict.DENY


def hosted(committee: Committee) -> Host:
    """m0 of ``committee``, freshly started."""
    key = committee.parties["m0"].vote_key
    return Host(Member("m0", committee.epoch, 1, committee.delegation("m0"), JUDGES), key)


@pytest.fixture
def committee() -> Committee:
    """The one m0 is a member of."""
    return Committee()


@pytest.fixture
def host(committee: Committee) -> Host:
    """m0, freshly started."""
    return hosted(committee)


def under_way(host: Host) -> int:
    """Asks that were taken and not answered, counted one by one."""
    return sum(map(len, host.member.waiting.values())) + len(host.member.unsent)


@pytest.mark.requirement("committee: a vote is kept before it is sent")
def test_a_vote_is_judged_kept_and_then_sent(host: Host, committee: Committee) -> None:
    """In this order; nothing is said before the disk confirmed it."""
    (judge,) = host.ask(1)
    assert isinstance(judge, Judge)
    assert (judge.request, judge.left_ms) == (b"request", 500)
    (persist,) = host.judge([judge])
    assert isinstance(persist, Persist)
    assert answers(host.effects) == {}
    (reply,) = host.sync()
    assert isinstance(reply, Reply)
    assert reply.data == wire.encode(persist.vote)
    ballot, seat = verify_vote(persist.vote, committee.epoch, SIGNATURES)
    assert (seat.name, ballot.verdict, ballot.judges) == ("m0", YES, JUDGES)
    assert (ballot.nonce, ballot.audience) == (b"\0" * 15 + b"\1", b"\0" * 31 + b"\1")
    assert under_way(host) == host.member.asks == 0


def test_a_ballot_says_what_was_judged(host: Host) -> None:
    """Score, reasons and hardness come through."""
    host.judge(host.ask(1), DENIAL)
    ballot = answers(host.sync())[1]
    assert isinstance(ballot, Ballot)
    assert (ballot.verdict, ballot.score, ballot.reasons, ballot.hard) == (
        NO,
        900,
        ("RuleMatched",),
        True,
    )


@pytest.mark.requirement("committee: a verdict is sticky within an epoch")
def test_a_denial_is_said_to_whoever_asks_again(host: Host) -> None:
    """Once denied, the judges are not asked again; other tiers and requests are other questions."""
    host.judge(host.ask(1), DENIAL)
    host.sync()
    (persist,) = host.ask(2)
    assert isinstance(persist, Persist)
    again = answers(host.sync())[2]
    assert isinstance(again, Ballot)
    assert (again.verdict, again.nonce) == (NO, b"\0" * 15 + b"\2")
    assert isinstance(host.ask(3, tier=Tier.FAST)[0], Judge)
    assert isinstance(host.ask(4, b"another")[0], Judge)


@pytest.mark.requirement("committee: a verdict is sticky within an epoch")
def test_a_denial_counts_before_the_disk_confirms_it(host: Host) -> None:
    """Who asks in between is not judged anew: the answer could differ from the one on its way."""
    host.judge(host.ask(1), DENIAL)
    (persist,) = host.ask(2)
    assert isinstance(persist, Persist)
    assert persist.judgement == DENIAL
    ballots = answers(host.sync())
    assert [getattr(ballots[reply], "verdict", None) for reply in (1, 2)] == [NO, NO]


def test_an_approval_may_tighten_and_never_loosen(host: Host) -> None:
    """What was approved may be denied later; from then on it stays denied."""
    said = []
    for reply, judgement in enumerate([APPROVAL, APPROVAL, DENIAL, APPROVAL], start=1):
        effects = host.ask(reply)
        if isinstance(effects[0], Judge):
            host.judge(effects, judgement)
        ballot = answers(host.sync())[reply]
        assert isinstance(ballot, Ballot)
        said.append(ballot.verdict)
    assert said == [YES, YES, NO, NO]


def test_asks_during_a_judgement_share_it(host: Host) -> None:
    """One judgement, one answer for each, each about its own nonce."""
    (judge,) = host.ask(1)
    assert host.ask(2) == host.ask(3) == []
    assert len(host.judge([judge], DENIAL)) == 3
    ballots = answers(host.sync())
    nonces = {b.nonce[-1] for b in ballots.values() if isinstance(b, Ballot) and b.verdict is NO}
    assert nonces == {1, 2, 3}
    assert under_way(host) == host.member.asks == 0


def test_a_second_judgement_of_the_same_is_ignored(host: Host) -> None:
    """Nobody waits for it, so nothing is voted."""
    (judge,) = host.ask(1)
    host.judge([judge], DENIAL)
    assert host.judge([judge], APPROVAL) == []
    assert isinstance(judge, Judge)
    assert host.feed(Judged(judge.epoch, (b"x" * 32, Tier.FAST), APPROVAL)) == []


def test_ballots_are_a_chain(host: Host) -> None:
    """Each names the one before by digest, and its place."""
    for reply in range(1, 6):
        host.judge(host.ask(reply, b"%d" % reply))
    host.sync()
    previous = NO_BALLOT
    for place, vote in enumerate(votes(host.effects), start=1):
        ballot = wire.decode(vote.ballot.body, Ballot)
        assert (ballot.sequence, ballot.previous) == (place, previous)
        previous = wire.ballot_digest(vote.ballot.body)


@pytest.mark.requirement("committee: group commit")
def test_group_commit_sends_what_is_confirmed_in_order(host: Host) -> None:
    """One confirmation covers all before it, none after it, and repeats change nothing."""
    for reply in range(1, 7):
        host.judge(host.ask(reply, b"%d" % reply))
    assert list(answers(host.sync(0))) == []
    assert list(answers(host.sync(4))) == [1, 2, 3, 4]
    assert list(answers(host.sync(4))) == list(answers(host.sync(2))) == []
    assert (under_way(host), host.member.asks) == (2, 2)
    assert list(answers(host.feed(Persisted(99)))) == [5, 6]
    assert host.member.asks == 0


def test_when_the_disk_refuses_nothing_more_is_said(host: Host) -> None:
    """What waits for the disk or for judges is abstained from, and so is what comes after."""
    host.judge(host.ask(1))
    (late,) = host.ask(2, b"other")
    assert answers(host.feed(PersistFailed())) == {1: Abstain.NOT_STORED}
    assert answers(host.judge([late])) == {2: Abstain.NOT_STORED}
    assert answers(host.ask(3)) == {3: Abstain.NOT_STORED}
    assert answers(host.sync(99)) == {}
    assert (under_way(host), host.member.asks) == (0, 0)


def test_a_full_store_says_no_denial(host: Host) -> None:
    """A denial it could not find again would have to be taken back; an approval need not be."""
    host.disk.full = True
    assert answers(host.judge(host.ask(1), DENIAL)) == {1: Abstain.NOT_STORED}
    host.judge(host.ask(2))
    assert isinstance(answers(host.sync())[2], Ballot)
    assert host.member.asks == 0
    host.disk.full = False
    assert isinstance(host.ask(3)[0], Judge)


def next_epoch(committee: Committee) -> EpochOpened:
    """The one after ``committee``'s, for m0."""
    committee.open(committee.next_record(Change.POLICIES, policies=f"sha256:{'c' * 64}"))
    return EpochOpened(committee.epoch, committee.delegation("m0"))


@pytest.mark.requirement("committee: nothing asked under one epoch is answered under another")
def test_an_epoch_change_answers_all_that_was_asked(host: Host, committee: Committee) -> None:
    """Asks under judgement and on their way to the disk: abstained from, once; late judgements and
    confirmations find nothing."""
    host.judge(host.ask(1))
    (judge,) = host.ask(2, b"other")
    old = committee.epoch
    effects = host.feed(next_epoch(committee))
    assert answers(effects) == {1: Abstain.OTHER_EPOCH, 2: Abstain.OTHER_EPOCH}
    assert host.judge([judge]) == host.sync(99) == []
    assert answers(host.ask(3, epoch=old)) == {3: Abstain.OTHER_EPOCH}
    assert (under_way(host), host.member.asks) == (0, 0)


def test_a_new_epoch_judges_anew_and_goes_on_with_the_chain(
    host: Host, committee: Committee
) -> None:
    """Verdicts are of an epoch; the places of ballots are of an incarnation."""
    host.judge(host.ask(1), DENIAL)
    host.sync()
    host.feed(next_epoch(committee))
    host.judge(host.ask(2))
    (vote,) = votes(host.sync())
    ballot, _ = verify_vote(vote, committee.epoch, SIGNATURES)
    assert (ballot.verdict, ballot.sequence) == (YES, 2)


def test_a_judgement_for_an_old_epoch_answers_nothing(host: Host, committee: Committee) -> None:
    """The same request is under judgement again in the new epoch: what the judges say of it under
    the old policies comes late and is ignored."""
    (old,) = host.ask(1)
    host.feed(next_epoch(committee))
    (new,) = host.ask(2)
    assert host.judge([old], DENIAL) == []
    assert host.sync(99) == []
    host.judge([new])
    ballot = answers(host.sync())[2]
    assert isinstance(ballot, Ballot)
    assert ballot.verdict is YES


def test_there_is_no_way_back_to_an_epoch(host: Host, committee: Committee) -> None:
    """An epoch that is over, or the one in force again, changes nothing: what was said then may be
    forgotten."""
    before = EpochOpened(committee.epoch, committee.delegation("m0"))
    opened = next_epoch(committee)
    host.feed(opened)
    (judge,) = host.ask(1)
    for event in (before, opened):
        assert host.feed(event) == []
    assert host.member.epoch == committee.epoch
    host.judge([judge])
    assert isinstance(answers(host.sync())[1], Ballot)


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x91" * 5000, bytes(wire.MESSAGE_BYTES + 1)])
def test_what_is_no_ask_is_abstained_from(host: Host, data: bytes) -> None:
    """Malformed, and nothing is remembered of it."""
    before = host.member
    assert answers(host.feed(Asked(1, data, TARGET, NOW))) == {1: Abstain.MALFORMED}
    assert host.member == before


def test_overload_is_shed_before_judging(host: Host) -> None:
    """Over ASKS_MAX in all, or WAITING_MAX for one judgement: an abstention, and no judge asked;
    there is room again when some are answered."""
    judges = [host.ask(reply, b"%d" % reply)[0] for reply in range(ASKS_MAX)]
    assert answers(host.ask(9_999, b"more")) == {9_999: Abstain.OVERLOADED}
    host.judge([judges[0]])
    assert answers(host.ask(9_998, b"more")) == {9_998: Abstain.OVERLOADED}
    host.sync()
    assert isinstance(host.ask(9_997, b"more")[0], Judge)
    assert under_way(host) == host.member.asks == ASKS_MAX


def test_one_popular_request_cannot_take_all_room(host: Host) -> None:
    """WAITING_MAX wait for one judgement; other requests are taken as before."""
    for reply in range(WAITING_MAX):
        host.ask(reply)
    assert answers(host.ask(1_000)) == {1_000: Abstain.OVERLOADED}
    assert isinstance(host.ask(1_001, b"other")[0], Judge)


def test_draining_answers_what_is_under_way_and_takes_nothing_new(host: Host) -> None:
    """Judgements and confirmations go on."""
    (judge,) = host.ask(1)
    host.feed(Drain())
    assert answers(host.ask(2)) == {2: Abstain.DRAINING}
    host.judge([judge])
    assert isinstance(answers(host.sync())[1], Ballot)


def frozen(committee: Committee, scope: Scope, name: str) -> Freezes:
    """What is known after one administrator froze ``name``."""
    order = Order(CLUSTER, scope, name, "because", NOW, NOW.replace(hour=13))
    admin = committee.admins[0]
    signature = admin.sign(freeze.ORDER_TAG + freeze.encode(order))
    signed = SignedOrder(order, (Endorsement(admin.public_key.pem, signature),))
    return freeze.add(Freezes(), signed, committee.epoch, SIGNATURES)


@pytest.mark.requirement("committee: members abstain from what is frozen")
@pytest.mark.parametrize(
    ("scope", "name", "covers"),
    [
        (Scope.TENANT, "team-a", True),
        (Scope.TENANT, "team-b", False),
        (Scope.CLUSTER, "", True),
        (Scope.CAPABILITY, "shell", True),
        (Scope.NAMESPACE, "team-b", False),
    ],
)
def test_what_is_frozen_is_abstained_from(
    host: Host, committee: Committee, scope: Scope, name: str, covers: bool
) -> None:
    """Covered targets only; one that does not say its capability is covered by any."""
    host.feed(FreezesKnown(frozen(committee, scope, name)))
    effects = host.ask(1)
    assert (answers(effects) == {1: Abstain.FROZEN}) == covers
    later = Asked(2, b"", Target({}), NOW)
    assert answers(host.feed(later)) == {2: Abstain.MALFORMED}


@pytest.mark.requirement("committee: denials survive a crash")
@pytest.mark.parametrize("keep", [True, False], ids=["store kept", "store lost"])
def test_a_crash_forgets_nothing_that_was_said(
    host: Host, committee: Committee, keep: bool
) -> None:
    """With its store a member says again what it said. Without, it would not: this is what makes a
    lost store a lie, and why a member refuses to start with its key and no store."""
    host.judge(host.ask(1), DENIAL)
    host.sync()
    host.crash(committee.delegation("m0", incarnation=2), VoteKey(), keep=keep)
    (effect,) = host.ask(2)
    assert isinstance(effect, Persist) == keep
    assert isinstance(effect, Judge) != keep


def test_what_was_not_safe_was_not_said(host: Host, committee: Committee) -> None:
    """A vote handed to the disk and lost in the crash reached nobody, so it may be judged anew."""
    host.judge(host.ask(1), DENIAL)
    host.crash(committee.delegation("m0", incarnation=2), VoteKey())
    assert votes(host.effects) == []
    assert isinstance(host.ask(2)[0], Judge)


BAD_JUDGEMENTS: list[dict[str, Any]] = [
    {"score": -1},
    {"score": wire.SCORE_MAX + 1},
    {"reasons": ("x" * (wire.REASON_CHARS + 1),)},
    {"reasons": ("two\nlines",)},
    {"reasons": ("x",) * (wire.REASONS_MAX + 1)},
]


@pytest.mark.parametrize("changes", BAD_JUDGEMENTS, ids=lambda c: next(iter(c)))
def test_a_judgement_no_ballot_can_carry_is_refused_at_once(changes: dict[str, Any]) -> None:
    """Else the member would sign, and keep, a vote that nobody can read."""
    with pytest.raises(InvalidInput):
        dataclasses.replace(APPROVAL, **changes)
    assert Judgement(YES, wire.SCORE_MAX, ("x" * wire.REASON_CHARS,) * wire.REASONS_MAX)
