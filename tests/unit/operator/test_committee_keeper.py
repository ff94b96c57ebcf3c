"""The SafetyCommittee in operation: records on their way, members that split, lie and are away."""

import base64
from typing import Any

import pytest

from quorate import names
from quorate.api.v1alpha1.safety_committee import CHAIN_MAX, EVIDENCE_KEY, OBJECT
from quorate.consensus.epoch import Change
from quorate_io.member_api import Proposal
from quorate_operator.committee_members import evidence_in
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.kinds import CONFIG_MAP
from quorate_operator.reconcile.committee_chain import text_of
from quorate_operator.reconcile.committee_conditions import DEGRADED_SECONDS
from tests.unit.operator.chain_members import another, forged
from tests.unit.operator.committee_stand import PATH, Stand

pytestmark = pytest.mark.requirement("epoch chain: a sequencer takes records to the members")


async def test_a_proposal_is_signed_and_in_force_everywhere() -> None:
    """In one look; the status says who signed, and holds the record for who was away."""
    stand = Stand()
    stand.propose(stand.proposal("one", stand.record()))
    assert await stand.look() == ""
    assert stand.phase("one") == "Certified"
    assert stand.members.heads() == [1] * 5
    assert stand.world.history.head.record.number == 1
    status = stand.status
    assert status.epoch is not None
    assert (status.epoch.number, status.epoch.change) == (1, "Policies")
    assert len(status.chain) == 1
    assert len(status.proposals[0].endorsed) >= 4
    assert status.candidate is None
    assert ("Normal", "ProposalCertified") in await stand.said()
    await stand.look()
    before = stand.api.objects[PATH]["metadata"]["resourceVersion"]
    await stand.look(3)
    assert stand.api.objects[PATH]["metadata"]["resourceVersion"] == before


async def test_the_candidate_is_written_before_anybody_is_asked() -> None:
    """While the status cannot be written, or somebody writes at the same time, no member hears."""
    stand = Stand()
    stand.propose(stand.proposal("one", stand.record()))

    def fault(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status"):
            raise ApiUnavailable("gone")

    stand.api.fault = fault
    assert "gone" in await stand.look()

    def meddle(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status"):
            stand.api.put(PATH, stand.api.objects[PATH])

    stand.api.fault = meddle
    assert "changed while" in await stand.look()
    assert all(not member.asked for member in stand.members.all.values())
    stand.api.fault = lambda method, path: None
    assert await stand.look() == ""
    assert stand.phase("one") == "Certified"


async def test_of_two_for_one_number_the_first_is_taken() -> None:
    """The other one is told so, and no member was ever asked about it."""
    stand = Stand()
    first, second = stand.record("b"), stand.record("c")
    stand.propose(stand.proposal("one", first), stand.proposal("two", second))
    await stand.look()
    assert (stand.phase("one"), stand.phase("two")) == ("Certified", "Superseded")
    assert all(second not in member.asked for member in stand.members.all.values())
    assert ("Warning", "ProposalSuperseded") in await stand.said()


async def test_the_one_that_was_taken_stays_though_another_comes_before_it() -> None:
    """Two members are away, three signed: they would sign no other one."""
    stand = Stand()
    one, two = stand.proposal("one", stand.record("b")), stand.proposal("two", stand.record("c"))
    stand.members.all["m0"].away = stand.members.all["m1"].away = True
    stand.propose(one)
    await stand.look()
    assert stand.phase("one") == "Collecting"
    assert "m0: m0 did not answer" in stand.message("one")
    stand.propose(two, one)
    await stand.look(2)
    assert (stand.phase("one"), stand.phase("two")) == ("Collecting", "Waiting")
    assert "one goes before it" in stand.message("two")
    stand.start()
    stand.members.all["m0"].away = False
    await stand.look()
    assert (stand.phase("one"), stand.phase("two")) == ("Certified", "Superseded")


async def test_what_all_refuse_makes_room_for_the_next() -> None:
    """Nobody signed it; its reasons stay to be read."""
    stand = Stand()
    seats = stand.committee.seats(m3={"quarantined": True})
    lie = stand.record(change=Change.QUARANTINE, seats=seats, evidence=f"sha256:{'e' * 64}")
    stand.propose(stand.proposal("bad", lie, admins=0), stand.proposal("good", stand.record("c")))
    await stand.look()
    assert stand.phase("bad") == "Declined"
    assert "Doubted" in stand.message("bad")
    assert ("Warning", "ProposalDeclined") in await stand.said()
    await stand.look()
    assert (stand.phase("bad"), stand.phase("good")) == ("Superseded", "Certified")


async def test_members_that_split_are_told_of_and_nobody_else_is_asked_for() -> None:
    """Two chose another record, brought past the operator: three are not enough, and a third record
    would have fewer. A recovery by the administrators goes on from there."""
    stand = Stand()
    other, mine = stand.record("c"), stand.record("b")
    for name in ("m0", "m1"):
        member = stand.members.all[name]
        admins = stand.committee.endorse(other, 0, 2).admins
        await member.propose(Proposal(record=other, admins=admins))
    third = stand.proposal("third", stand.record("d"))
    stand.propose(stand.proposal("mine", mine), third)
    await stand.look(2)
    assert stand.phase("mine") == "Declined"
    assert "split" in stand.message("mine")
    assert "AnotherChosen" in stand.message("mine")
    assert stand.phase("third") == "Waiting"
    assert all(len(member.signed.get(1, ())) == 1 for member in stand.members.all.values())
    seats = stand.committee.seats(m4={"failure_domain": "elsewhere"})
    recovery = stand.record(change=Change.RECOVERY, seats=seats)
    stand.propose(stand.proposal("mine", mine), third, stand.proposal("recovery", recovery))
    await stand.look()
    assert stand.phase("recovery") == "Certified"
    assert stand.members.heads() == [1] * 5
    assert stand.phase("mine") == "Superseded"


async def test_what_people_have_not_signed_is_shown_to_no_member() -> None:
    """Not even one administrator short; nor does it stand in the way of the next."""
    stand = Stand()
    stand.propose(
        stand.proposal("one", stand.record("b"), admins=1),
        stand.proposal("two", stand.record("c")),
    )
    document = stand.api.objects[PATH]
    assert document["spec"]["proposals"][0]["name"] == "one"
    await stand.look()
    assert (stand.phase("one"), stand.phase("two")) == ("Superseded", "Certified")
    stand.committee.open(stand.record("c"))
    stand.propose(stand.proposal("three", stand.record("d"), admins=1))
    await stand.look()
    assert stand.phase("three") == "Waiting"
    assert "1 of 2 administrators" in stand.message("three")
    stand.propose(stand.proposal("three", stand.record("d")))
    await stand.look()
    assert stand.phase("three") == "Certified"


@pytest.mark.parametrize("kind", ["forged", "in its own name", "in the other's"])
async def test_a_signature_that_is_none_does_not_count(kind: str) -> None:
    """One liar and one that is away leave three; the liar is named, whatever it signs with."""
    stand = Stand()
    other = stand.members.all["m4"]
    names_ = {"in its own name": "m2", "in the other's": "m4"}
    lie = forged("m2") if kind == "forged" else another(names_[kind], other)
    stand.members.all["m2"].lie = lie
    stand.members.all["m4"].away = True
    stand.propose(stand.proposal("one", stand.record()))
    await stand.look()
    assert stand.phase("one") == "Collecting"
    assert "m2: it sent a signature that does not verify" in stand.message("one")
    assert stand.status.proposals[0].endorsed == ["m0", "m1", "m3"]
    stand.members.all["m4"].away = False
    await stand.look()
    assert stand.phase("one") == "Certified"
    assert "m2" not in stand.status.proposals[0].endorsed


@pytest.mark.parametrize("step", range(12))
async def test_the_operator_may_die_between_any_two_steps(step: int) -> None:
    """At its ``step``-th call to the API server or a member; the next one finishes, and no member
    signs two records for one number."""
    stand = Stand()
    stand.propose(stand.proposal("one", stand.record("b")), stand.proposal("x", stand.record("c")))
    left = step

    def tick(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ApiUnavailable("the process ended")

    stand.api.fault = tick
    for member in stand.members.all.values():
        _ending(member, tick)
    await stand.look()
    stand.api.fault = lambda method, path: None
    for member in stand.members.all.values():
        del member.__dict__["propose"], member.__dict__["show"]
    stand.start()
    assert await stand.look(2) == ""
    assert stand.phase("one") == "Certified"
    assert stand.members.heads() == [1] * 5
    assert all(len(member.signed.get(1, {"-"})) == 1 for member in stand.members.all.values())


def _ending(member: Any, tick: Any) -> None:
    propose, show = member.propose, member.show

    async def proposed(proposal: Any) -> Any:
        answer = await propose(proposal)
        tick()
        return answer

    async def shown(certified: Any) -> Any:
        tick()
        return await show(certified)

    member.__dict__["propose"], member.__dict__["show"] = proposed, shown


async def test_an_api_server_that_loses_a_write_changes_no_candidate() -> None:
    """The status is as it was, and another proposal stands first now."""
    stand = Stand()
    one, two = stand.proposal("one", stand.record("b")), stand.proposal("two", stand.record("c"))
    stand.members.all["m0"].away = stand.members.all["m1"].away = True
    stand.propose(one)
    await stand.look()
    lost = stand.api.objects[PATH]
    lost.pop("status")
    stand.propose(two, one)
    stand.members.all["m0"].away = False
    await stand.look()
    assert (stand.phase("one"), stand.phase("two")) == ("Certified", "Superseded")


async def test_answers_that_are_lost_as_well_change_no_candidate() -> None:
    """Three signed, nobody heard them, and the status is gone: the operator knows whom it asked."""
    stand = Stand()
    one, two = stand.proposal("one", stand.record("b")), stand.proposal("two", stand.record("c"))
    for name in ("m0", "m1"):
        stand.members.all[name].away = True

    def lost(*_: object) -> None:
        raise ApiUnavailable("on its way back")

    for member in stand.members.all.values():
        _ending(member, lost)
    stand.propose(one)
    await stand.look()
    assert stand.status.proposals[0].endorsed == []
    for member in stand.members.all.values():
        member.away = False
        del member.__dict__["propose"], member.__dict__["show"]
    stand.api.objects[PATH].pop("status")
    stand.propose(two, one)
    await stand.look()
    assert (stand.phase("one"), stand.phase("two")) == ("Certified", "Superseded")


async def test_members_that_were_all_away_learn_from_the_status() -> None:
    """All lost their chains, and the operator starts anew: what is in force is in force again."""
    stand = Stand()
    for char in "bcd":
        record = stand.record(char)
        stand.propose(stand.proposal(f"p-{char}", record))
        await stand.look()
        stand.committee.open(record)
    assert stand.members.heads() == [3] * 5
    for member in stand.members.all.values():
        member.forget()
    stand.members.known = stand.members.known.__class__((stand.genesis,))
    stand.start()
    await stand.look()
    assert stand.members.heads() == [3] * 5
    assert stand.world.history.head.record.number == 3
    assert stand.condition("EpochCurrent") == ("False", "MembersBehind")
    await stand.look()
    assert stand.condition("EpochCurrent") == ("True", "SameEpoch")


async def test_the_tail_is_bounded_and_learnt_from_members() -> None:
    """Records that were brought to members directly stand in the status as well."""
    stand = Stand()
    for number in range(CHAIN_MAX + 2):
        record = stand.record("bc"[number % 2])
        certified = stand.committee.endorse(record, 4, 2)
        for member in stand.members.all.values():
            await member.show(certified)
        stand.committee.open(record)
    stand.take(await stand.members.history())
    await stand.look()
    assert len(stand.status.chain) == CHAIN_MAX
    assert f'"number":{CHAIN_MAX + 2}' in stand.status.chain[-1]


async def test_a_chain_that_somebody_made_up_is_dropped() -> None:
    """It is signed by nobody: neither the operator nor a member goes by it."""
    stand = Stand()
    stand.propose(stand.proposal("one", stand.record("b")))
    await stand.look()
    document = stand.api.objects[PATH]
    bogus = stand.committee.endorse(stand.record("d"), 1, 0)
    document["status"]["chain"] = [text_of(bogus)]
    stand.start()
    stand.take(await stand.members.history())
    await stand.look(2)
    assert stand.members.heads() == [1] * 5
    assert '"policies":"sha256:bbbb' in stand.status.chain[0]


async def test_evidence_is_read_from_the_config_map_that_is_named() -> None:
    """A quarantine needs no administrator; without its evidence members refuse it."""
    stand = Stand()
    seats = stand.committee.seats(m3={"quarantined": True})
    record = stand.record(change=Change.QUARANTINE, seats=seats, evidence=f"sha256:{'e' * 64}")
    stand.propose(stand.proposal("bad-m3", record, admins=0, evidence="evidence-m3"))
    await stand.look()
    assert stand.phase("bad-m3") == "Declined"
    data = {EVIDENCE_KEY: base64.b64encode(b"{}").decode()}
    path = CONFIG_MAP.path(names.NAMESPACE, "evidence-m3")
    stand.api.put(path, {"binaryData": data})
    await stand.look()
    assert stand.phase("bad-m3") == "Certified"
    assert [m.quarantined for m in stand.status.members] == [False] * 3 + [True, False]


@pytest.mark.parametrize("found", [{}, {"binaryData": {}}, {"binaryData": {EVIDENCE_KEY: "%"}}])
def test_evidence_that_is_not_there_is_none(found: dict[str, Any]) -> None:
    """Whatever the ConfigMap holds instead; what kubectl took for text is read as well."""
    with pytest.raises(ValueError, match="evidence"):
        evidence_in(found, EVIDENCE_KEY)
    assert evidence_in({"data": {EVIDENCE_KEY: "{}"}}, EVIDENCE_KEY) == b"{}"


async def test_what_cannot_be_read_is_declined_and_hinders_nobody() -> None:
    """Neither a record that is none nor one that changes too much stops the next."""
    stand = Stand()
    wild = stand.record(change=Change.CANARIES, policies=f"sha256:{'c' * 64}")
    broken = stand.proposal("broken", stand.record()) | {"record": "{}"}
    stand.propose(broken, stand.proposal("wild", wild), stand.proposal("good", stand.record()))
    await stand.look()
    assert stand.phase("broken") == "Declined"
    assert stand.phase("good") == "Certified"
    stand.committee.open(stand.record())
    wild = stand.record(change=Change.CANARIES, policies=f"sha256:{'c' * 64}")
    stand.propose(stand.proposal("wild", wild))
    await stand.look()
    assert stand.phase("wild") == "Declined"
    assert "may not change it" in stand.message("wild")


async def test_an_object_that_is_gone_is_told_with_its_fix() -> None:
    """The installation makes it again."""
    stand = Stand()
    del stand.api.objects[PATH]
    assert "is not there" in await stand.look()


async def test_nothing_is_written_without_the_lease() -> None:
    """Another operator may be at work."""
    stand = Stand()
    stand.propose(stand.proposal("one", stand.record()))
    stand.holding.held = False
    assert "Lease" in await stand.look()
    assert all(not member.asked for member in stand.members.all.values())


@pytest.mark.requirement("SafetyCommittee: conditions Available, Degraded and JudgesDiverse")
async def test_conditions_events_and_incidents_follow_the_members() -> None:
    """One away: degraded, an incident after minutes, closed when it is back. Two: not available."""
    stand = Stand()
    await stand.look()
    assert stand.condition("Available") == ("True", "QuorumAnswers")
    assert stand.condition("Degraded") == ("False", "EnoughAnswer")
    assert stand.condition("JudgesDiverse") == ("False", "JudgesShared")
    assert {i["spec"]["rule"] for i in stand.incidents()} == {"JudgesNotDiverse"}
    stand.members.all["m1"].away = True
    await stand.look()
    assert stand.condition("Degraded") == ("True", "NoneToSpare")
    assert stand.condition("Available") == ("True", "QuorumAnswers")
    assert len(stand.incidents()) == 1
    seen = next(m for m in stand.status.members if m.name == "m1")
    assert (seen.reachable, seen.last_answer is not None) == (False, True)
    stand.monotonic.time += DEGRADED_SECONDS
    await stand.look()
    assert {i["spec"]["rule"] for i in stand.incidents()} == {
        "JudgesNotDiverse",
        "CommitteeDegraded",
    }
    stand.members.all["m2"].away = True
    await stand.look()
    assert stand.condition("Available") == ("False", "TooFewAnswer")
    stand.members.all["m1"].away = stand.members.all["m2"].away = False
    await stand.look()
    assert stand.condition("Degraded") == ("False", "EnoughAnswer")
    degraded = next(i for i in stand.incidents() if i["spec"]["rule"] == "CommitteeDegraded")
    assert degraded["status"]["conditions"][0]["status"] == "False"
    assert ("Warning", "NoneToSpare") in await stand.said()


async def test_a_committee_of_one_is_not_degraded() -> None:
    """Nobody chose a member to spare."""
    stand = Stand("dev")
    await stand.look()
    assert stand.condition("Degraded") == ("False", "EnoughAnswer")
    assert stand.condition("JudgesDiverse") == ("True", "AllDiffer")
    stand.propose(stand.proposal("one", stand.record()))
    await stand.look()
    assert stand.phase("one") == "Certified"
    assert OBJECT == "committee"
