"""The operator takes evidence from members to members, by itself, and believes none of it."""

import pytest

from quorate.consensus import quarantine
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.wire import Verdict
from tests.unit.operator.committee_stand import Stand


def pair(stand: Stand, name: str, *, hard: bool = False) -> bytes:
    """``name`` denied, then approved."""
    committee = stand.committee
    votes = (
        committee.vote(name, Verdict.DENY, hard=hard),
        committee.vote(name, Verdict.APPROVE, sequence=2),
    )
    return quarantine.encode(Equivocation(votes))


def away(stand: Stand) -> set[str]:
    """Who is under quarantine, as the operator follows the chain."""
    head = stand.world.history.head
    return set(head.members) - head.counted


@pytest.mark.requirement("committee: a quarantine follows from evidence without anybody's hand")
async def test_what_one_member_keeps_becomes_the_next_epoch() -> None:
    """Nothing is proposed by people; the liar signs nothing; it stands in the status, is told in an
    Event, and n and thresholds are what they were."""
    stand = Stand()
    assert await stand.look() == ""
    assert stand.status.proposals == []
    stand.members.all["m1"].kept = pair(stand, "m4")
    stand.members.all["m4"].away = True
    assert await stand.look() == ""
    assert away(stand) == {"m4"}
    assert stand.world.history.head.record.thresholds == stand.genesis.record.thresholds
    (said,) = stand.status.proposals
    assert (said.name[:11], said.phase) == ("quarantine-", "Certified")
    assert ("Normal", "ProposalCertified") in await stand.said()
    await stand.look()
    assert stand.world.history.head.record.number == 1
    assert stand.condition("AllTrusted") == ("False", "MemberQuarantined")
    incident = next(i for i in stand.incidents() if i["spec"]["rule"] == "MemberQuarantined")
    assert "m4" in incident["spec"]["summary"]


@pytest.mark.requirement("committee: hostile evidence convicts no honest member")
async def test_what_convicts_nobody_is_taken_to_nobody() -> None:
    """Nonsense, votes that go together, and evidence that is not there: no member is asked."""
    stand = Stand()
    together = Equivocation(
        (
            stand.committee.vote("m2", Verdict.APPROVE),
            stand.committee.vote("m2", Verdict.DENY, sequence=2),
        )
    )
    for bad in (b"x", pair(stand, "m4")[:-1], quarantine.encode(together)):
        stand.members.all["m0"].kept = bad
        assert await stand.look(2) == ""
    assert all(not member.asked for member in stand.members.all.values())
    assert away(stand) == set()
    stand.members.all["m3"].kept = pair(stand, "m4")
    await stand.look()
    assert away(stand) == {"m4"}


async def test_it_goes_before_what_people_propose() -> None:
    """Its evidence convicts in the epoch in force only; theirs can be made anew."""
    stand = Stand()
    stand.members.all["m0"].kept = pair(stand, "m4")
    stand.propose(stand.proposal("one", stand.record("b")))
    await stand.look()
    assert away(stand) == {"m4"}
    assert stand.phase("one") == "Superseded"


async def test_one_that_was_begun_is_ended_first() -> None:
    """Three signed it, and would sign no other one of this number."""
    stand = Stand()
    stand.members.all["m0"].away = stand.members.all["m1"].away = True
    stand.propose(stand.proposal("one", stand.record("b")))
    await stand.look()
    stand.members.all["m2"].kept = pair(stand, "m4")
    await stand.look()
    assert stand.phase("one") == "Collecting"
    stand.members.all["m0"].away = False
    await stand.look()
    assert (stand.phase("one"), away(stand)) == ("Certified", set())


@pytest.mark.requirement("evidence beyond r is kept and told, and takes no vote away")
async def test_no_more_than_r_are_taken_away() -> None:
    """A second one keeps its vote, people are told at once, until an epoch takes it out; what
    convicts nobody tells nothing."""
    stand = Stand()
    stand.members.all["m0"].kept = pair(stand, "m4")
    await stand.look()
    stand.committee.epoch = stand.world.history.head
    stand.members.all["m1"].kept = b"nonsense"
    assert await stand.look() == ""
    assert stand.condition("AllTrusted") == ("False", "MemberQuarantined")
    stand.members.all["m0"].kept = pair(stand, "m3")
    assert await stand.look(2) == ""
    assert away(stand) == {"m4"}
    assert stand.condition("AllTrusted") == ("False", "EvidenceBeyondR")
    (incident,) = [i for i in stand.incidents() if i["spec"]["rule"] == "EvidenceBeyondR"]
    assert "m3: convicted too, and keeps its vote: r = 1" in incident["spec"]["summary"]
    assert "under quarantine already: m4" in incident["spec"]["summary"]
    stand.members.all["m0"].kept = stand.members.all["m1"].kept = b""
    await stand.look(2)
    assert stand.condition("AllTrusted") == ("False", "EvidenceBeyondR")
    stand.start()
    await stand.look()
    assert stand.condition("AllTrusted") == ("False", "MemberQuarantined")
    (incident,) = [i for i in stand.incidents() if i["spec"]["rule"] == "EvidenceBeyondR"]
    assert incident["status"]["conditions"][0]["status"] == "False"


@pytest.mark.requirement("operator: a restart goes on where it was")
async def test_an_operator_that_starts_anew_goes_on_with_the_same_record() -> None:
    """Two members hold different evidence against one liar; three signed the record of one of them
    when the operator ended: the next one takes up that very record."""
    stand = Stand()
    first, other = pair(stand, "m4"), pair(stand, "m4", hard=True)
    stand.members.all["m1"].kept = first
    stand.members.all["m0"].away = stand.members.all["m4"].away = True
    await stand.look()
    candidate = stand.status.candidate
    assert candidate is not None
    stand.members.all["m0"].away, stand.members.all["m0"].kept = False, other
    stand.start()
    await stand.look(2)
    assert away(stand) == {"m4"}
    assert stand.world.history.head.digest_text == candidate.digest


async def test_eight_proposals_of_people_leave_room_for_it() -> None:
    """The status holds all of them."""
    stand = Stand()
    stand.members.all["m0"].kept = pair(stand, "m4")
    stand.members.all["m1"].away = stand.members.all["m2"].away = True
    stand.propose(*(stand.proposal(f"p{n}", stand.record(f"{n}")) for n in range(8)))
    assert await stand.look() == ""
    assert len(stand.status.proposals) == 9
