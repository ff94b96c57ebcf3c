"""Asking: one outcome, in time; only counted votes about this very ask make it an approval."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from quorate.consensus import approval, ask, wire
from quorate.consensus.ask import (
    Abstained,
    Answered,
    Asking,
    Broadcast,
    Cause,
    Decision,
    Effect,
    Event,
    Finished,
    Frozen,
    Heard,
    Outcome,
    Refused,
    Superseded,
    Ticked,
    Unreachable,
)
from quorate.consensus.thresholds import PRESETS, Thresholds, Tier
from quorate.consensus.wire import Abstention, Ask, Verdict
from quorate.errors import InvalidInput, SignatureError, SubjectMismatch
from tests.fakes.ballots import REQUEST, SIGNATURES, Committee

YES, NO = Verdict.APPROVE, Verdict.DENY
ABSTENTION = wire.encode(Abstention(1, "Overloaded"))


@dataclass
class Run:
    """One ask of one committee, and all that came of it."""

    committee: Committee
    tier: Tier = Tier.STRICT
    veto: bool = False
    budget: float = 1.0
    request: bytes = REQUEST
    effects: list[Effect] = field(default_factory=list)
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        self.asking, effects = ask.begin(
            self.committee.epoch,
            self.tier,
            self.request,
            nonce=b"n" * 16,
            audience=b"a" * 32,
            now=100.0,
            budget=self.budget,
            veto=self.veto,
        )
        self.effects.extend(effects)

    def feed(self, event: Event, at: float = 100.1) -> "Run":
        """Let ``event`` happen."""
        self.asking, effects = ask.step(self.asking, event, at, SIGNATURES)
        self.effects.extend(effects)
        return self

    def votes(self, name: str, verdict: Verdict = YES, **changes: Any) -> "Run":
        """``name`` answers with a vote."""
        vote = self.committee.vote(name, verdict, self.asking.subject, **changes)
        return self.feed(Answered(name, wire.encode(vote)))

    @property
    def outcomes(self) -> list[Outcome]:
        """How it ended; more than one would be a fault."""
        return [effect.outcome for effect in self.effects if isinstance(effect, Finished)]

    @property
    def ended(self) -> tuple[Decision, Cause] | None:
        """Decision and cause, or None while it is under way."""
        if not self.outcomes:
            return None
        (outcome,) = self.outcomes
        return outcome.decision, outcome.cause

    def refusals(self) -> list[Refused]:
        """Answers that were no vote on this ask."""
        return [effect for effect in self.effects if isinstance(effect, Refused)]


@pytest.fixture(scope="module")
def standard() -> Committee:
    """Five members, four needed for strict, three for fast."""
    return Committee()


@pytest.fixture(scope="module")
def shadowed() -> Committee:
    """Five members, m0 under quarantine."""
    return Committee(quarantined=["m0"])


APPROVED = (Decision.APPROVE, Cause.QUORUM)
UNREACHABLE = (Decision.DENY, Cause.NO_QUORUM)


def test_all_members_are_asked_the_same_in_one_message(shadowed: Committee) -> None:
    """Also the one under quarantine; the message says everything a vote must be about."""
    run = Run(shadowed)
    (broadcast,) = run.effects
    assert isinstance(broadcast, Broadcast)
    assert list(broadcast.members) == shadowed.names
    sent = wire.decode(broadcast.message, Ask)
    assert (sent.epoch, sent.request, sent.tier) == (shadowed.epoch.digest, REQUEST, Tier.STRICT)
    assert (sent.nonce, sent.audience, sent.left_ms) == (b"n" * 16, b"a" * 32, 995)


def test_an_ask_says_how_much_time_is_left_when_it_is_sent(standard: Committee) -> None:
    """Never more than at first, and nothing is sent that nobody could answer in time. All else is
    as it was: votes on either message are about the same."""
    run = Run(standard)
    first = wire.decode(ask.message(run.asking, 0.0) or b"", Ask)
    later = wire.decode(ask.message(run.asking, run.asking.deadline - 0.1) or b"", Ask)
    assert first.left_ms == 995
    assert 98 <= later.left_ms <= 100
    assert msgspec.structs.replace(later, left_ms=995) == first
    assert ask.message(run.asking, run.asking.deadline - wire.LEFT_MS_MIN / 1000 + 0.001) is None


@pytest.mark.parametrize(("tier", "needed"), [(Tier.FAST, 3), (Tier.STRICT, 4)])
def test_the_approval_comes_with_the_vote_that_makes_it(
    standard: Committee, tier: Tier, needed: int
) -> None:
    """Not one earlier; its certificate verifies for whoever acts on it."""
    run = Run(standard, tier)
    for name in standard.names[: needed - 1]:
        assert run.votes(name).ended is None
    assert run.votes(standard.names[needed - 1]).ended == APPROVED
    certificate = run.outcomes[0].certificate
    assert certificate is not None
    shown = approval.verify(certificate, standard.epoch, run.asking.subject, SIGNATURES)
    assert shown.voters == frozenset(standard.names[:needed])


@pytest.mark.requirement("committee: an ask is denied as soon as no quorum can be reached")
@pytest.mark.parametrize(
    "thresholds", [PRESETS["standard"], PRESETS["ha"], Thresholds(n=7, fast=4, strict=5, r=2)]
)
@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("how", ["deny", "abstain", "down", "malformed"])
def test_denied_early_at_n_minus_q_plus_one(thresholds: Thresholds, tier: Tier, how: str) -> None:
    """n-q lost members leave it open, one more ends it, however they are lost."""
    committee = Committee(thresholds)
    run = Run(committee, tier)
    spare = thresholds.n - thresholds.needed(tier)
    for number, name in enumerate(committee.names[: spare + 1]):
        assert run.ended is None, number
        if how == "deny":
            run.votes(name, NO)
        else:
            data = ABSTENTION if how == "abstain" else b"\xff"
            run.feed(Unreachable(name) if how == "down" else Answered(name, data))
    assert run.ended == UNREACHABLE
    assert run.outcomes[0].certificate is None


@pytest.mark.requirement("committee: every ask ends within its budget")
@pytest.mark.parametrize("late", [100.995, 101.0, 1e9])
def test_the_deadline_denies_whatever_came(standard: Committee, late: float) -> None:
    """At the guarded deadline the ask is over; the fourth approval in that instant is too late."""
    run = Run(standard)
    for name in ("m0", "m1", "m2"):
        run.votes(name)
    assert run.feed(Ticked(), at=100.994).ended is None
    vote = standard.vote("m3", YES, run.asking.subject)
    run.feed(Answered("m3", wire.encode(vote)), at=late)
    assert run.ended == (Decision.DENY, Cause.DEADLINE)
    assert isinstance(run.effects[-1], Heard)
    assert len(run.outcomes[0].votes) == 3


@pytest.mark.parametrize("budget", [0.0, -5.0, 0.005, 1e-9])
def test_without_budget_nothing_is_approved(standard: Committee, budget: float) -> None:
    """No time left, or less than none: every event finds it denied."""
    run = Run(standard, budget=budget)
    run.feed(Ticked(), at=100.0)
    for name in standard.names:
        run.votes(name)
    assert run.ended == (Decision.DENY, Cause.DEADLINE)


def test_a_budget_beyond_the_bound_is_cut(standard: Committee) -> None:
    """Nobody waits for longer than the message can say."""
    run = Run(standard, budget=1e6)
    assert run.asking.deadline == 100.0 + wire.LEFT_MS_MAX / 1000


def test_hard_denial_holds_a_strict_approval(standard: Committee) -> None:
    """One member denies by a rule, four approve: a person decides, and there is no certificate."""
    run = Run(standard).votes("m4", NO, hard=True)
    for name in standard.names[:4]:
        run.votes(name)
    assert run.ended == (Decision.HOLD, Cause.HARD_DENIAL)
    assert run.outcomes[0].certificate is None
    assert len(run.outcomes[0].votes) == 5


def test_a_soft_denial_holds_nothing(standard: Committee) -> None:
    """A score is outvoted."""
    run = Run(standard).votes("m4", NO)
    for name in standard.names[:4]:
        run.votes(name)
    assert run.ended == APPROVED


def test_a_hard_denial_does_not_hold_the_fast_tier(standard: Committee) -> None:
    """There the quorum decides."""
    run = Run(standard, Tier.FAST).votes("m4", NO, hard=True)
    for name in standard.names[:3]:
        run.votes(name)
    assert run.ended == APPROVED


def test_hard_on_an_approval_means_nothing(standard: Committee) -> None:
    """Only a denial is hard."""
    run = Run(standard)
    for name in standard.names[:4]:
        run.votes(name, hard=True)
    assert run.ended == APPROVED


def test_veto_needs_every_member(standard: Committee) -> None:
    """Four of five are not enough, five are, and one denial ends it."""
    run = Run(standard, veto=True)
    for name in standard.names[:4]:
        assert run.votes(name).ended is None
    assert run.votes("m4").ended == APPROVED
    assert Run(standard, veto=True).votes("m2", NO).ended == UNREACHABLE


def test_veto_with_a_member_under_quarantine_denies_at_once(shadowed: Committee) -> None:
    """Its vote does not count, so not all can approve; nobody waits to find out."""
    assert Run(shadowed, veto=True).ended == UNREACHABLE


@pytest.mark.requirement("committee: votes of quarantined members count for nothing")
@pytest.mark.parametrize("verdict", Verdict)
def test_votes_under_quarantine_are_heard_and_not_counted(
    shadowed: Committee, verdict: Verdict
) -> None:
    """Neither for nor against, and a hard denial of one holds nothing."""
    run = Run(shadowed).votes("m0", verdict, hard=True)
    assert isinstance(run.effects[-1], Heard)
    for name in ("m1", "m2", "m3"):
        assert run.votes(name).ended is None
    assert run.votes("m4").ended == APPROVED
    assert [b.ballot.member for b in run.effects if isinstance(b, Heard)] == [
        *["m0", "m1", "m2", "m3", "m4"]
    ]


def test_a_quarantined_member_is_lost_from_the_start(shadowed: Committee) -> None:
    """n does not shrink: with one away, one denial is enough; its own failing counts no twice."""
    run = Run(shadowed).feed(Unreachable("m0")).feed(Answered("m0", ABSTENTION))
    assert run.ended is None
    assert run.votes("m1", NO).ended == UNREACHABLE


def test_late_votes_are_only_heard(standard: Committee) -> None:
    """After the end they reach whoever looks for liars, and change nothing."""
    run = Run(standard)
    for name in standard.names[:4]:
        run.votes(name)
    before = run.asking
    run.votes("m4", NO, hard=True)
    assert isinstance(run.effects[-1], Heard)
    assert run.asking == before
    assert run.ended == APPROVED


def test_a_vote_relayed_by_another_channel_is_none(standard: Committee) -> None:
    """m1's channel brings m0's genuine vote: m1 has said nothing useful, m0 may still speak."""
    run = Run(standard)
    vote = wire.encode(standard.vote("m0", YES, run.asking.subject))
    run.feed(Answered("m1", vote))
    (refused,) = run.refusals()
    assert (refused.member, type(refused.error)) == ("m1", SubjectMismatch)
    assert run.asking.approvals == ()
    run.votes("m0")
    assert len(run.asking.approvals) == 1


@pytest.mark.requirement("committee: a member counts once in a certificate")
def test_a_member_is_counted_once(standard: Committee) -> None:
    """The same vote again, another ballot, or an approval after a denial: heard, not counted."""
    run = Run(standard)
    for _ in range(5):
        run.votes("m0")
    run.votes("m0", sequence=2)
    run.votes("m1", NO).votes("m1", YES, sequence=2).votes("m1", NO)
    assert run.ended is None
    assert (len(run.asking.approvals), run.asking.lost) == (1, 1)
    assert len([effect for effect in run.effects if isinstance(effect, Heard)]) == 9


def test_a_member_is_lost_once(standard: Committee) -> None:
    """However often a channel fails or talks nonsense."""
    run = Run(standard)
    for event in (Unreachable("m0"), Answered("m0", b""), Answered("m0", ABSTENTION)) * 3:
        run.feed(event)
    assert run.asking.lost == 1
    assert run.votes("m0").asking.approvals == ()
    assert run.ended is None


def test_strangers_change_nothing(standard: Committee) -> None:
    """Names of no member, whatever they send."""
    run = Run(standard)
    vote = wire.encode(standard.vote("m0", YES, run.asking.subject))
    for data in (b"", ABSTENTION, vote):
        run.feed(Answered("m9", data)).feed(Unreachable("m9"))
    assert (run.asking.lost, run.asking.answered, run.ended) == (0, frozenset(), None)


NOT_THIS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"nonce": b"m" * 16}, SubjectMismatch),
    ({"audience": b"b" * 32}, SubjectMismatch),
    ({"request": b"r" * 32}, SubjectMismatch),
    ({"tier": Tier.FAST}, SubjectMismatch),
    ({"epoch": b"e" * 32}, SubjectMismatch),
    ({"incarnation": -1}, InvalidInput),
    ({"reasons": ("line\nline",)}, InvalidInput),
]


@pytest.mark.requirement("bad input: replayed votes of another nonce, epoch or audience")
@pytest.mark.parametrize(("changes", "error"), NOT_THIS, ids=[next(iter(c)) for c, _ in NOT_THIS])
def test_votes_on_something_else_are_refused(
    standard: Committee, changes: dict[str, Any], error: type[Exception]
) -> None:
    """A replay of another ask, epoch or tier loses that member, with the reason."""
    run = Run(standard).votes("m0", **changes)
    (refused,) = run.refusals()
    assert isinstance(refused.error, error)
    assert (run.asking.lost, run.asking.approvals) == (1, ())


def test_a_forged_vote_is_refused(standard: Committee) -> None:
    """Another member's signature under m0's name."""
    run = Run(standard)
    mine = standard.vote("m0", YES, run.asking.subject)
    theirs = standard.vote("m1", YES, run.asking.subject)
    forged = wire.Vote(wire.Signed(mine.ballot.body, theirs.ballot.signature), mine.delegation)
    run.feed(Answered("m0", wire.encode(forged)))
    assert isinstance(run.refusals()[0].error, SignatureError)


def test_an_abstention_says_why(standard: Committee) -> None:
    """Its reason reaches the caller as an Unavailable."""
    run = Run(standard).feed(Answered("m0", ABSTENTION))
    assert isinstance(run.refusals()[0].error, Abstained)
    assert str(run.refusals()[0].error) == "Overloaded"


def test_it_ends_with_who_said_nothing_and_why(standard: Committee) -> None:
    """An abstention's own word, a connection that failed, an answer that is no vote, and who had
    not answered yet; beside it how many approvals it took. Nothing of it decides."""
    run = Run(standard)
    run.feed(Answered("m0", ABSTENTION)).feed(Unreachable("m1")).feed(Answered("m0", b"?"))
    (outcome,) = run.outcomes
    assert (outcome.needed, outcome.cause) == (4, Cause.NO_QUORUM)
    said = {"m0": "Overloaded", "m1": "Unreachable"}
    assert dict(outcome.silent) == said | {name: "NotHeard" for name in ("m2", "m3", "m4")}
    run = Run(standard, veto=True).feed(Answered("m0", b"?"))
    (outcome,) = run.outcomes
    assert (outcome.needed, dict(outcome.silent)["m0"]) == (5, "InvalidAnswer")


@pytest.mark.parametrize(
    ("event", "cause"),
    [(Superseded(), Cause.EPOCH_SUPERSEDED), (Frozen(), Cause.FROZEN)],
)
def test_a_later_epoch_or_a_freeze_ends_it(standard: Committee, event: Event, cause: Cause) -> None:
    """Three approvals in, the fourth comes after: denied."""
    run = Run(standard)
    for name in ("m0", "m1", "m2"):
        run.votes(name)
    assert run.feed(event).votes("m3").ended == (Decision.DENY, cause)


@pytest.mark.requirement("committee: an ask ends exactly once")
def test_every_order_of_endings_ends_once(standard: Committee) -> None:
    """All orders of an approval, a denial, a freeze, a new epoch and the deadline: one outcome,
    the first one, whatever follows; and a certificate exactly with an approval."""
    ways = ["approve", "lose", "freeze", "supersede", "deadline"]
    for order in itertools.permutations(ways):
        run = Run(standard)
        for name in ("m0", "m1", "m2"):
            run.votes(name)
        run.votes("m4", NO)
        first = None
        for way in order:
            match way:
                case "approve":
                    run.votes("m3")
                case "lose":
                    run.feed(Unreachable("m3"))
                case "freeze":
                    run.feed(Frozen())
                case "supersede":
                    run.feed(Superseded())
                case "deadline":
                    run.feed(Ticked(), at=200.0)
            first = first or run.outcomes[0]
        assert first is not None
        assert run.outcomes == [first]
        assert (first.decision is Decision.APPROVE) == (order[0] == "approve")
        assert (first.certificate is not None) == (first.decision is Decision.APPROVE)


def test_a_request_beyond_the_bound_is_read_by_nobody(standard: Committee) -> None:
    """Its message decodes nowhere, so that members abstain and the ask is denied."""
    run = Run(standard, request=b"x" * (wire.REQUEST_BYTES + 1))
    (broadcast,) = run.effects
    assert isinstance(broadcast, Broadcast)
    with pytest.raises(InvalidInput):
        wire.decode(broadcast.message, Ask)
