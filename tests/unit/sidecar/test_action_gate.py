"""The gate: who decides about an answer's actions, and that nothing else lets one pass."""

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quorate import names
from quorate.consensus import approval, wire
from quorate.consensus import epoch as epochs
from quorate.consensus.approval import Subject
from quorate.consensus.conversation import Said
from quorate.consensus.epoch import Change, Epoch
from quorate.consensus.freeze import Scope
from quorate.consensus.hold_decision import HoldDecision, statement
from quorate.consensus.keys import KeySignatures
from quorate.consensus.request import Role
from quorate.consensus.thresholds import PRESETS, Tier
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.risk.route import Voting
from quorate_sidecar.actions.committee import AT_ONCE_MAX
from quorate_sidecar.refusal import Code, Refusal
from tests.fakes.acting import ADMIN, AUDIENCE, Acting, frozen
from tests.fakes.committee import DENY, HARD, FakeCommittee
from tests.fakes.vouching import signer
from tests.unit.consensus.scene import ManualClock
from tests.unit.sidecar.acts import (
    CHIEF,
    PEOPLE,
    calls,
    code,
    decide,
    gated,
)


async def test_text_and_mild_calls_are_decided_alone() -> None:
    """Nobody is asked. A call leaves a record with the request's digest; text alone leaves none."""
    one = await gated(DENY)
    assert await decide(one, Said(Role.ASSISTANT, "hello")) is None
    assert one.actions == []
    assert await decide(one, calls("lookup")) is None
    (record,) = one.actions
    assert (record.decided_by, record.decision, record.band) == ("sidecar", "approve", "local")
    assert record.request.startswith("sha256:")
    assert one.asked == 0


@pytest.mark.requirement("run-time votes: local in the sidecar, medium fast, high strict")
@pytest.mark.parametrize(
    ("tool", "tier", "band"),
    [("save", Tier.FAST, "medium"), ("transfer", Tier.STRICT, "high"), ("x", Tier.STRICT, "high")],
)
async def test_the_band_says_which_tier_is_asked(tool: str, tier: Tier, band: str) -> None:
    """And the record holds a certificate that anybody can verify: of this request, nonce, epoch and
    session key. A tool that nobody declared is high."""
    one = await gated()
    assert await decide(one, calls(tool)) is None
    (record,) = one.actions
    assert (record.decided_by, record.decision, record.band) == (tier.value, "approve", band)
    assert (record.cause, record.others) == ("QuorumApproved", 0)
    digest = bytes.fromhex(record.request.removeprefix("sha256:"))
    subject = Subject(digest, tier, bytes.fromhex(record.nonce), AUDIENCE)
    epoch = one.members.committee.epoch
    assert record.epoch == epoch.digest_text
    certificate = base64.b64decode(record.votes)
    found = approval.verify(certificate, epoch, subject, KeySignatures())
    assert len(found.voters) == record.approvals == PRESETS["standard"].needed(tier)


@pytest.mark.requirement("run-time votes: a denial says cause, votes and the command that explains")
async def test_a_denial_says_why_and_by_whom() -> None:
    """Cause, votes for and against, and the command; the record holds the votes."""
    one = await gated(DENY)
    refusal = await decide(one, calls("save"))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, Code.ACTION)
    for words in (
        "QuorumUnreachable",
        "0 votes for it and 3 against, of 5 members; 3 must approve (Rule)",
        "kubectl quorate committee explain-decision --id req_",
        one.actions[0].request,
    ):
        assert words in refusal.message
    (record,) = one.actions
    assert (record.decision, record.approvals, record.others) == ("deny", 0, 3)
    votes = wire.decode(base64.b64decode(record.votes), wire.Certificate, bytes_max=65_536).votes
    assert len(votes) == 3


@pytest.mark.parametrize(
    ("down", "liars", "tool", "passes"),
    [
        (2, 0, "save", True),
        (2, 0, "transfer", False),
        (1, 1, "save", True),
        (1, 0, "transfer", True),
        (3, 0, "save", False),
    ],
)
async def test_thresholds_hold_whoever_is_down(
    down: int, liars: int, tool: str, passes: bool
) -> None:
    """Those of the epoch's record, never those who happen to answer."""
    one = await gated()
    lines = list(one.members.lines.values())
    for line in lines[:down]:
        line.down = True
    for line in lines[down : down + liars]:
        line.member.judgement = DENY
    refusal = await decide(one, calls(tool))
    assert code(refusal) == (None if passes else Code.ACTION)


async def test_time_is_the_bands() -> None:
    """Members that answer after the budget might as well not."""
    one = await gated(voting=Voting(fast_ms=50))
    for line in one.members.lines.values():
        line.seconds = 0.3
    began = asyncio.get_running_loop().time()
    refusal = await decide(one, calls("save"))
    assert asyncio.get_running_loop().time() - began < 0.25
    assert refusal is not None
    assert "DeadlineExceeded" in refusal.message
    assert one.actions[0].decision == "deny"


@pytest.mark.requirement("consensus.veto any: every member must approve")
async def test_one_veto_denies() -> None:
    """In the fast tier too; without a veto the same member is outvoted."""
    for veto, expected in ((False, None), (True, Code.ACTION)):
        one = await gated(voting=Voting(fast_ms=2000, veto=veto))
        next(iter(one.members.lines.values())).member.judgement = DENY
        assert code(await decide(one, calls("save"))) is expected


CANNOT: list[tuple[Said, str]] = [
    (calls("save", arguments='{"a": 1, "a": 2}'), "ArgumentsNotUnderstood"),
    (calls("save", arguments="no"), "ArgumentsNotUnderstood"),
    (calls("lookup", arguments="[1]"), "ArgumentsNotUnderstood"),
    (calls(""), "ToolNameInvalid"),
    (calls(*["lookup"] * 33), "TooManyCalls"),
    (calls("save", arguments='{"a": "' + "x" * 70_000 + '"}'), "Arguments"),
]


@pytest.mark.parametrize(("answer", "reason"), CANNOT)
async def test_what_nobody_can_be_asked_about_is_denied(answer: Said, reason: str) -> None:
    """Also where the sidecar would have decided alone; it is written down, and nobody is asked."""
    one = await gated()
    refusal = await decide(one, answer)
    assert refusal is not None
    assert refusal.code is Code.ACTION
    assert reason in refusal.message
    assert [record.decision for record in one.actions] == ["deny"]
    assert one.asked == 0


async def test_an_answer_leaves_as_a_whole_or_not_at_all() -> None:
    """One call that is denied keeps the others, and the other choices, back."""
    one = await gated()
    for member in one.members.committee.members[:2]:
        member.judgement = DENY
    assert code(await decide(one, calls("save", "transfer"))) is Code.ACTION
    assert [(record.decision, record.cause) for record in one.actions] == [
        ("deny", "AnswerNotReleased"),
        ("deny", "QuorumUnreachable"),
    ]
    assert one.actions[0].approvals == 3
    assert code(await decide(one, calls("save"), calls("transfer"))) is Code.ACTION
    assert await decide(one, calls("save"), calls("lookup")) is None


async def test_everything_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of our own, too much under way, a record that cannot be written."""

    async def broken(question: object) -> None:
        raise RuntimeError("bug")

    one = await gated()
    monkeypatch.setattr(one.committee, "ask", broken)
    assert code(await decide(one, calls("save"))) is Code.UNDECIDED

    one = await gated()
    monkeypatch.setattr("quorate_sidecar.actions.committee.WAITING_MAX", 0)
    assert code(await decide(one, calls("save"))) is Code.UNDECIDED
    assert [(record.decision, record.cause) for record in one.actions] == [
        ("deny", "CommitteeNotAsked")
    ]
    monkeypatch.undo()

    def full(body: object) -> None:
        raise Refusal(503, Code.AUDIT, "full")

    one = await gated()
    one.gate._write = full
    assert code(await decide(one, calls("save"))) is Code.AUDIT


async def test_calls_wait_for_their_turn() -> None:
    """A member takes so many asks of one pod at a time: the rest come after them, in their budget,
    and are denied if there is no time left."""
    one = await gated(voting=Voting(fast_ms=5000))
    for line in one.members.lines.values():
        line.seconds = 0.05
    many = calls(*["save"] * 20)
    assert set(await asyncio.gather(decide(one, many), decide(one, many))) == {None}
    assert len(one.actions) == 40
    one = await gated(voting=Voting(fast_ms=60))
    for line in one.members.lines.values():
        line.seconds = 0.05
    denied = await asyncio.gather(*(decide(one, many) for _ in range(4)))
    assert Code.UNDECIDED in {code(refusal) for refusal in denied}
    assert one.committee._slots._value == AT_ONCE_MAX


async def test_a_pod_that_may_not_serve_any_more_does_nothing() -> None:
    """What the committee decided about the pod counts for what is under way; draining ends it
    in peace."""
    one = await gated()
    one.standing.deny("Revoked", "gone")
    assert code(await decide(one, calls("lookup"))) is Code.POLICY
    one = await gated()
    one.standing.receipt_until = 0.0
    assert code(await decide(one, Said(Role.ASSISTANT, "hi"))) is Code.RECEIPT_MISSING
    one = await gated()
    one.standing.draining = True
    assert await decide(one, calls("save")) is None


# Freezes ----------------------------------------------------------------------------------------


@pytest.mark.requirement("freeze: in force for what is asked and for what is under way")
async def test_what_is_frozen_is_denied_without_asking() -> None:
    """By capability for its calls, for other scopes whatever is asked at all."""
    one = await gated()
    one.freezes.learn([frozen(ADMIN, Scope.CAPABILITY, "payments")])
    refusal = await decide(one, calls("transfer"))
    assert refusal is not None
    assert refusal.code is Code.FROZEN
    assert "drill" in refusal.message
    assert (one.asked, one.actions[0].cause) == (0, "Frozen")
    assert await decide(one, calls("save")) is None
    one.freezes.learn([frozen(ADMIN, Scope.WORKLOAD, "team-a/chat")])
    assert code(await decide(one, Said(Role.ASSISTANT, "hi"))) is Code.FROZEN


async def test_a_freeze_ends_what_is_under_way() -> None:
    """At once, before the members are done."""
    one = await gated()
    for line in one.members.lines.values():
        line.seconds = 0.5
    waiting = asyncio.ensure_future(decide(one, calls("transfer")))
    await asyncio.sleep(0.05)
    began = asyncio.get_running_loop().time()
    one.freezes.learn([frozen(ADMIN, Scope.CAPABILITY, "payments")])
    assert code(await waiting) is Code.FROZEN
    assert asyncio.get_running_loop().time() - began < 0.2


# Holds ------------------------------------------------------------------------------------------


def decision(hold_id: str, said: Decision = Decision.APPROVED, **by: float) -> bytes:
    """What the chief decided about a hold, now."""
    now = datetime.now(UTC) + timedelta(milliseconds=5)
    found = HoldDecision(
        hold_id=hold_id,
        decision=said,
        reason="looked at",
        decided_at=now,
        expires_at=now + timedelta(**by or {"minutes": 5}),
    )
    return dsse.sign(statement(found), names.INTOTO_TYPE, [CHIEF])


async def held(one: Acting, *answers: Said) -> str:
    """The id of the hold that an answer comes to."""
    refusal = await decide(one, *answers)
    assert refusal is not None
    assert refusal.code is Code.HELD, refusal.message
    return refusal.param


@pytest.mark.requirement("HOLD stays a DENY until a signed human approval for that digest arrives")
@pytest.mark.parametrize("tool", ["transfer", "wire"], ids=["hard denial", "critical"])
async def test_people_turn_a_hold_once(tool: str) -> None:
    """A hard denial beside a quorum, or a band that needs a person: held, let through once by the
    person's signature, and denied after that."""
    one = await gated()
    if tool == "transfer":
        next(iter(one.members.lines.values())).member.judgement = HARD
    hold_id = await held(one, calls(tool))
    assert await held(one, calls(tool)) == hold_id
    assert one.actions[0].hold == hold_id
    assert one.actions[0].decision == "hold"
    one.gate.take_decision(decision(hold_id))
    assert await decide(one, calls(tool)) is None
    assert (one.actions[-1].decision, one.actions[-1].cause) == ("approve", "PersonApproved")
    refusal = await decide(one, calls(tool))
    assert refusal is not None
    assert refusal.code is Code.ACTION
    assert "used" in refusal.message
    assert [found.standing for found in one.decisions] == ["Approved"]


async def test_an_approval_is_for_one_action_only() -> None:
    """Other arguments are another hold; people never turn a denial; nor does a stranger."""
    one = await gated()
    hold_id = await held(one, calls("wire", arguments='{"amount": 1}'))
    stranger = signer()
    now = datetime.now(UTC)
    forged = HoldDecision(
        hold_id=hold_id,
        decision=Decision.APPROVED,
        reason="x",
        decided_at=now,
        expires_at=now + timedelta(minutes=1),
    )
    with pytest.raises(Refusal) as caught:
        one.gate.take_decision(dsse.sign(statement(forged), names.INTOTO_TYPE, [stranger]))
    assert caught.value.code is Code.DECISION
    one.gate.take_decision(decision(hold_id))
    assert await held(one, calls("wire", arguments='{"amount": 2}')) != hold_id
    for member in one.members.committee.members:
        member.state = replace(member.state) if member.state else None
        member.kept.verdicts.clear()
        member.judgement = DENY
    assert code(await decide(one, calls("wire", arguments='{"amount": 1}'))) is Code.ACTION


async def test_a_rejected_hold_is_a_denial() -> None:
    """Until its time ends, whatever members say."""
    one = await gated()
    hold_id = await held(one, calls("wire"))
    one.gate.take_decision(decision(hold_id, Decision.REJECTED))
    refusal = await decide(one, calls("wire"))
    assert refusal is not None
    assert refusal.code is Code.ACTION
    assert "rejected" in refusal.message


async def test_approvals_are_used_only_if_all_of_the_answer_leaves() -> None:
    """Two held calls in one answer: approving one of them lets nothing out and uses nothing up."""
    one = await gated()
    both = calls("wire", "wire")
    await decide(one, both)
    ids = [record.hold for record in one.actions]
    assert len(set(ids)) == 2
    one.gate.take_decision(decision(ids[0]))
    assert await held(one, both) == ids[1]
    one.gate.take_decision(decision(ids[1]))
    assert await decide(one, both) is None


async def test_a_full_table_of_holds_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    """And pushes nobody out."""
    monkeypatch.setattr("quorate.consensus.hold.HOLDS_MAX", 1)
    one = await gated()
    hold_id = await held(one, calls("wire"))
    assert code(await decide(one, calls("wire", arguments='{"a": 1}'))) is Code.ACTION
    assert await held(one, calls("wire")) == hold_id


# Epochs -----------------------------------------------------------------------------------------


async def test_without_an_epoch_nothing_passes_that_members_decide() -> None:
    """What the sidecar decides alone still does."""
    one = await gated()
    one.committee._asker = None
    assert code(await decide(one, calls("save"))) is Code.UNDECIDED
    assert await decide(one, calls("lookup")) is None


def later(committee: FakeCommittee) -> Epoch:
    """The epoch after a committee's, with the same members in it."""
    record = committee.epoch.record
    return epochs.open_epoch(
        msgspec.structs.replace(
            record,
            number=1,
            previous=committee.epoch.digest_text,
            change=Change.POLICIES,
        )
    )


@pytest.mark.parametrize("sidecar_first", [True, False])
@pytest.mark.requirement("an epoch change under traffic fails no request")
async def test_an_ask_survives_a_change_of_epoch(sidecar_first: bool) -> None:
    """Whoever hears of it first: it is put again to the new epoch's members within its budget."""
    one = await gated()
    epoch = later(one.members.committee)
    newer = replace(one.members.found, recent=(*one.members.found.recent, epoch))
    if sidecar_first:
        for line in one.members.lines.values():
            line.seconds = 0.05
        waiting = asyncio.ensure_future(decide(one, calls("transfer")))
        await asyncio.sleep(0.01)
    else:
        waiting = None
    for member in one.members.committee.members:
        member.join(epoch)
    if waiting is not None:
        one.members.found = newer
        await one.committee.look()
        assert await waiting is None
    else:
        one.members.told = newer
        assert await decide(one, calls("transfer")) is None
        assert one.members.asked_newer == 1
    assert one.actions[-1].epoch == epoch.digest_text


async def test_what_an_earlier_epoch_approved_does_not_pass() -> None:
    """One call is approved, and before the other is the committee changes: both are asked about
    again, and the records name the epoch in force."""
    one = await gated(voting=Voting(fast_ms=2000, strict_ms=3000))
    waiting = asyncio.ensure_future(decide(one, calls("save", "transfer")))
    for number, line in enumerate(one.members.lines.values()):
        # Three approve the fast one at once; the strict one waits for the fourth.
        line.seconds = 0.0 if number < 3 else 0.4
    await asyncio.sleep(0.2)
    epoch = later(one.members.committee)
    for member in one.members.committee.members:
        member.join(epoch)
    one.members.found = replace(one.members.found, recent=(*one.members.found.recent, epoch))
    await one.committee.look()
    assert await waiting is None
    assert {record.epoch for record in one.actions} == {epoch.digest_text}


async def test_members_of_another_epoch_are_not_asked_for_news_all_the_time() -> None:
    """A liar that always speaks of another epoch costs one question a second."""
    one = await gated()
    for member in one.members.committee.members:
        member.join(later(one.members.committee))
    for _ in range(3):
        assert code(await decide(one, calls("transfer"))) is Code.ACTION
    assert one.members.asked_newer == 1


@pytest.mark.requirement("alerts: a held action is told")
async def test_what_waits_for_people_is_told_while_it_does() -> None:
    """With the hold that ends first, and nothing of the model's words; decided or over: nothing."""
    clock = ManualClock()
    one = await gated(clock=clock)
    assert one.holds.waiting() == ""
    await decide(one, calls("wire"))
    clock.advance(5)
    await decide(one, calls("wire", arguments='{"a": 1}'))
    first = one.actions[0].hold
    assert one.holds.waiting().startswith(f"an action waits for people: hold {first} until ")
    clock.advance(PEOPLE.hold_seconds - 2)
    assert first not in one.holds.waiting()
    assert one.actions[1].hold in one.holds.waiting()
    clock.advance(5)
    assert one.holds.waiting() == ""
