"""After a quarantine a replacement is prepared by itself; nothing happens before people sign."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import epoch as epochs
from quorate.consensus import quarantine
from quorate.consensus import spare as spares
from quorate.consensus.epoch import EpochRecord, material_of
from quorate.keys import LocalSigner
from quorate_operator.reconcile.committee_replacement import ACKNOWLEDGE
from quorate_operator.spares import LOOK_SECONDS
from tests.fakes.ballots import SIGNATURES, Party
from tests.unit.operator.chain_members import ChainMember
from tests.unit.operator.committee_stand import Stand
from tests.unit.operator.test_accusations import away, pair

pytestmark = pytest.mark.requirement(
    "self-healing: after a quarantine a spare and a prepared epoch change that people acknowledge"
)


async def quarantined(name: str = "m4", spare: str = "m5") -> Stand:
    """A committee that found ``name`` lying by itself, and a spare that answers."""
    stand = Stand()
    stand.waiting[spare] = ed25519.Ed25519PrivateKey.generate()
    await convict(stand, name)
    return stand


async def convict(stand: Stand, name: str) -> None:
    """Evidence against ``name`` becomes an epoch; the committee's fake follows."""
    evidence = pair(stand, name)
    stand.members.all["m1"].kept = evidence
    await stand.look()
    stand.members.all["m1"].kept = b""
    assert away(stand) == {name}
    stand.committee.open(
        quarantine.propose(stand.committee.epoch, quarantine.decode(evidence), SIGNATURES)
    )
    assert stand.committee.epoch.digest == stand.world.history.head.digest


def prepared(stand: Stand) -> EpochRecord:
    """The record in the status."""
    found = stand.status.replacement
    assert found is not None
    return epochs.parse(found.record.encode())


def seat_it(stand: Stand, name: str, private: ed25519.Ed25519PrivateKey) -> None:
    """The spare runs, so that it can be a member."""
    stand.committee.parties[name] = Party(private)
    stand.members.all[name] = ChainMember(name, stand.committee, stand.genesis)


async def test_nobody_is_asked_while_nobody_lies() -> None:
    """No spare hears anything, and nothing is prepared."""
    stand = Stand()
    stand.waiting["m5"] = ed25519.Ed25519PrivateKey.generate()
    await stand.look(3)
    assert (stand.asked_spares, stand.status.replacement) == ([], None)
    assert stand.condition("AwaitsAcknowledgement") == ("False", "NoneQuarantined")


async def test_a_replacement_is_prepared_and_waits_for_people() -> None:
    """In the status, with the spare's own key and nothing else changed; an Event and an incident
    name the one command. No member is asked, however long it waits."""
    stand = await quarantined()
    record = prepared(stand)
    found = spares.check(stand.world.history, record)
    assert (found.leaves, found.joins.name, found.joins.failure_domain) == ("m4", "m5", "zone-m5")
    assert found.joins.judges == stand.genesis.record.seats[4].judges
    said = stand.status.replacement
    assert said is not None
    assert (said.member, said.by, said.number) == ("m4", "m5", 2)
    assert (
        said.key_id
        == LocalSigner(stand.waiting["m5"]).public_key.key_id
        == material_of(found.joins.key)
    )
    assert stand.condition("AwaitsAcknowledgement") == ("True", "ReplacementPrepared")
    condition = next(c for c in stand.status.conditions if c.type == "AwaitsAcknowledgement")
    assert ACKNOWLEDGE in condition.message
    incident = next(i for i in stand.incidents() if i["spec"]["rule"] == "ReplacementPrepared")
    assert ACKNOWLEDGE in incident["spec"]["summary"]
    assert ("Warning", "ReplacementPrepared") in await stand.said()
    asked = {name: list(member.asked) for name, member in stand.members.all.items()}
    await stand.look(5)
    assert prepared(stand) == record
    assert {name: list(member.asked) for name, member in stand.members.all.items()} == asked
    assert stand.world.history.head.record.number == 1
    assert stand.status.proposals == []


async def test_people_sign_and_the_spare_has_the_seat() -> None:
    """One administrator short it stays prepared; with all of them members are asked, the seat is
    the spare's, and nothing is prepared or told any more."""
    stand = await quarantined()
    record = prepared(stand)
    stand.propose(stand.proposal("acknowledged-2", record, admins=1))
    await stand.look()
    assert stand.condition("AwaitsAcknowledgement")[0] == "True"
    assert stand.phase("acknowledged-2") == "Waiting"
    seat_it(stand, "m5", stand.waiting["m5"])
    stand.members.all["m0"].away = stand.members.all["m1"].away = True
    stand.propose(stand.proposal("acknowledged-2", record))
    await stand.look()
    assert stand.condition("AwaitsAcknowledgement") == ("False", "Acknowledged")
    assert stand.status.replacement is None
    stand.members.all["m0"].away = stand.members.all["m1"].away = False
    await stand.look(2)
    head = stand.world.history.head
    assert (head.record.number, away(stand)) == (2, set())
    assert "m5" in head.counted
    assert "m4" not in head.members
    assert stand.condition("AwaitsAcknowledgement") == ("False", "NoneQuarantined")
    assert stand.condition("AllTrusted")[0] == "True"
    rules = {i["spec"]["rule"]: i for i in stand.incidents()}
    for rule in ("ReplacementPrepared", "MemberQuarantined"):
        assert rules[rule]["status"]["conditions"][0]["status"] == "False"


async def test_a_stale_draft_is_refused_and_made_anew() -> None:
    """Another record was certified meanwhile: what people signed of the old one is nobody's epoch,
    and a record that follows the new head is prepared."""
    stand = await quarantined()
    old = prepared(stand)
    other = stand.record("d")
    stand.propose(stand.proposal("other", other))
    await stand.look()
    stand.committee.open(other)
    fresh = prepared(stand)
    assert fresh.previous == stand.committee.epoch.digest_text != old.previous
    by_admins = stand.proposal("acknowledged-2", old)
    stand.propose(by_admins)
    await stand.look()
    assert stand.phase("acknowledged-2") == "Superseded"
    assert prepared(stand) == fresh


async def test_another_key_of_the_spare_makes_another_draft() -> None:
    """Its Secret was made anew: what was prepared before is not there any more."""
    stand = await quarantined()
    before = prepared(stand)
    stand.waiting["m5"] = ed25519.Ed25519PrivateKey.generate()
    stand.monotonic.time += LOOK_SECONDS
    await stand.look()
    assert prepared(stand) != before
    joins = spares.check(stand.world.history, prepared(stand)).joins
    assert joins.key == LocalSigner(stand.waiting["m5"]).public_key.pem


async def test_a_spare_that_is_silent_or_used_up_is_told_of() -> None:
    """Nobody answers: no record, and the reason. The second one is taken where the first has the
    key of a liar or of a member; without any, helm's value is named."""
    stand = await quarantined()
    liar, member = stand.committee.parties["m4"], stand.committee.parties["m0"]
    stand.waiting.clear()
    await stand.look()
    assert stand.status.replacement is None
    assert stand.condition("AwaitsAcknowledgement") == ("False", "NothingPrepared")
    for party, said in ((liar, "key of a liar"), (member, "key of a member")):
        stand.waiting["m5"] = party.private
        await stand.look()
        condition = next(c for c in stand.status.conditions if c.type == "AwaitsAcknowledgement")
        assert said in condition.message
    stand.waiting["m6"] = ed25519.Ed25519PrivateKey.generate()
    await stand.look()
    assert stand.status.replacement is not None
    assert stand.status.replacement.by == "m6"
    stand.spares = ()
    stand.start()
    await stand.look(2)
    assert stand.condition("AwaitsAcknowledgement") == ("False", "NothingPrepared")
    condition = next(c for c in stand.status.conditions if c.type == "AwaitsAcknowledgement")
    assert "committee.spares" in condition.message


async def test_a_liar_that_was_a_spare_is_taken_by_no_later_one() -> None:
    """The spare has the seat, lies, and is replaced by the next; later its name is free again, and
    its key still convicts it."""
    stand = await quarantined()
    for name in ("m5", "m6"):
        record = prepared(stand)
        seat_it(stand, name, stand.waiting[name])
        stand.propose(stand.proposal(f"acknowledged-{record.number}", record))
        await stand.look(2)
        stand.committee.open(record)
        assert stand.world.history.head.digest == stand.committee.epoch.digest
        if name == "m5":
            stand.waiting["m6"] = ed25519.Ed25519PrivateKey.generate()
            await convict(stand, "m5")
            await stand.look()
    await convict(stand, "m3")
    await stand.look()
    assert stand.status.replacement is None
    condition = next(c for c in stand.status.conditions if c.type == "AwaitsAcknowledgement")
    assert "m5 has the key of a liar" in condition.message
