"""The operator's client, against members that lie, are down, late, or of another mind."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from quorate import certificate
from quorate.consensus.epoch import Change
from quorate.consensus.thresholds import PRESETS
from quorate.errors import Unavailable
from quorate_io.member_api import (
    EvaluateAnswer,
    Failure,
    ObservedAnswer,
    ObservedBatch,
    ReportsAnswer,
    RequirementResult,
    encode,
)
from quorate_io.operator_client import Evaluation, MemberRefused, OperatorClient
from tests.fakes.ballots import Party, digest
from tests.fakes.committee_servers import Answering, Servers, refusing
from tests.fakes.signing_epochs import see_certificate
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FixedClock

SIGNED = RequirementResult(name="model.signers", status="True", reason="Verified", message="2")
GATED = RequirementResult(name="gate/red-team", status="True", reason="Verified", message="passed")
FAILED = RequirementResult(
    name="gate/red-team", status="False", reason="GateFailed", message="3 of 100 got through"
)


class World(Servers):
    """Five members that certify, and the operator's client."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(self.certify(), **rest)

    def answer(self, name: str, **changes: Any) -> EvaluateAnswer:
        """What a member that certifies says, with changes."""
        certified = EvaluateAnswer(
            policy_digest=digest("1"),
            requirements=(SIGNED, GATED),
            certificate=self.cluster.certificate(name).decode(),
            expires_at=NOW + timedelta(minutes=30),
            renew_at=NOW + timedelta(minutes=15),
        )
        return msgspec.structs.replace(certified, **changes)

    def certify(self, statement: dict[str, Any] | None = None, **changes: Any) -> Answering:
        """A certificate with changes to its statement, or to the answer."""

        async def answer(name: str, request: web.Request) -> web.Response:
            envelope = self.cluster.certificate(name, **(statement or {})).decode()
            said = self.answer(name, **({"certificate": envelope} | changes))
            return web.Response(body=encode(said))

        return answer

    def deny(self, *failed: RequirementResult, **changes: Any) -> Answering:
        """No certificate, because of what ``failed``."""
        results = (SIGNED, *(failed or (FAILED,)))
        return self.certify(requirements=results, certificate=None, expires_at=None, **changes)

    @asynccontextmanager
    async def client(self, token_file: Path, *down: str) -> AsyncIterator[OperatorClient]:
        """A client of all members, of whom some are ``down``."""
        digest_text = self.epochs.genesis.digest_text
        async with (
            self.serving(*down) as url,
            OperatorClient(
                url, self.names, digest_text, token_file, clock=FixedClock(NOW)
            ) as client,
            asyncio.timeout(10),
        ):
            yield client

    async def evaluate(self, token_file: Path, *down: str) -> Evaluation:
        """One question to all."""
        async with self.client(token_file, *down) as client, asyncio.timeout(3):
            return await client.evaluate({"kind": "policy"}, {"kind": "model"}, NOW)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A token."""
    path = tmp_path / "token"
    path.write_text("a.token.x")
    return path


@pytest.fixture
def world() -> World:
    """A committee of five, of whom one may lie."""
    return World()


async def hang(name: str, request: web.Request) -> web.Response:
    """No answer for a long time."""
    await asyncio.sleep(30)
    return web.Response()


@pytest.mark.requirement("certificates carry q signatures of members that judged themselves")
async def test_a_certificate_is_signed_by_a_strict_quorum(world: World, token_file: Path) -> None:
    """Of five members all are asked with one time, and four sign the same statement."""
    seen: list[dict[str, Any]] = []

    async def answer(name: str, request: web.Request) -> web.Response:
        seen.append(json.loads(await request.content.read()))
        return web.Response(body=encode(world.answer(name)))

    world.tell(answer, *world.names)
    found = await world.evaluate(token_file)
    assert found.certificate is not None
    see_certificate(found.certificate.encode(), world.cluster.history)
    assert (found.failure, found.reason, found.members) == ("", "", 5)
    assert found.answered >= 4
    assert found.requirements == (SIGNED, GATED)
    assert (found.policy_digest, found.renew_at) == (digest("1"), NOW + timedelta(minutes=15))
    asked = {"policy": {"kind": "policy"}, "model": {"kind": "model"}}
    assert all(body == asked | {"issuedAt": "2026-11-21T12:00:00Z"} for body in seen)


@pytest.mark.requirement("one lying member decides nothing alone")
async def test_one_member_that_is_away_or_lies(world: World, token_file: Path) -> None:
    """Down, hanging, denying, refusing, signing something else, or nothing that can be read."""

    async def rubbish(name: str, request: web.Request) -> web.Response:
        return web.Response(body=b'{"certificate":')

    lies: tuple[Answering, ...] = (
        hang,
        rubbish,
        world.deny(),
        refusing(Failure.MALFORMED, status=400),
        world.certify({"manifest_digest": digest("9")}),
        world.certify(certificate="rubbish"),
        world.certify(policy_digest=digest("8"), requirements=()),
    )
    for lie in lies:
        world.tell(lie, "10")
        found = await world.evaluate(token_file)
        assert found.certificate is not None, lie
        certified = certificate.verify(found.certificate.encode(), world.cluster.history, NOW)
        assert certified.statement.manifest_digest != digest("9")
        assert (found.requirements, found.policy_digest) == ((SIGNED, GATED), digest("1"))
    assert (await world.evaluate(token_file, "10")).certificate is not None


@pytest.mark.requirement("one lying member decides nothing alone")
async def test_a_requirement_fails_when_no_quorum_can_be_without(
    world: World, token_file: Path
) -> None:
    """Two of five deny: with the text that most of them give, and at once."""
    other = msgspec.structs.replace(FAILED, message="something else")
    world.tell(hang, "10", "11")
    world.tell(world.deny(), "12", "13")
    world.tell(world.deny(other), "14")
    found = await world.evaluate(token_file)
    assert (found.certificate, found.failure) == (None, "")
    failed = {result.name: result for result in found.requirements}[FAILED.name]
    assert failed.status == "False"
    world.tell(world.deny(), *world.names)
    world.tell(world.deny(other), "14")
    assert (await world.evaluate(token_file, "10")).requirements == (SIGNED, FAILED)


async def test_too_few_answers(world: World, token_file: Path) -> None:
    """Three of five certify, the others are away: nothing is known, and it says whom to look at."""
    found = await world.evaluate(token_file, "10", "11")
    assert (found.certificate, found.requirements, found.answered) == (None, (), 3)
    assert found.failure.startswith("3 of 5 members answered; 4 must sign; 10: member https://127")
    assert found.reason == "MemberUnavailable"


@pytest.mark.requirement("members that sign different statements are told of")
async def test_members_that_disagree(world: World, token_file: Path) -> None:
    """All answer, and neither yes nor no has enough of them."""
    world.tell(world.certify({"evidence": (digest("3"),)}), "10", "11")
    found = await world.evaluate(token_file)
    assert (found.certificate, found.reason) == (None, "MembersDisagree")
    assert "3 members signed the same certificate; 4 must; 2 different" in found.failure
    world.other.clear()
    world.tell(world.deny(), "13")
    found = await world.evaluate(token_file, "10")
    assert (found.certificate, found.reason) == (None, "MembersDisagree")
    assert "3 certified; 4 must; gate/red-team is denied by 13" in found.failure


async def test_a_question_that_members_refuse(world: World, token_file: Path) -> None:
    """It is the question's fault if so many say so that no quorum is to be had."""
    world.tell(refusing(Failure.TOO_LARGE, status=413), "10", "11")
    found = await world.evaluate(token_file)
    assert (found.reason, found.answered) == ("TooLarge", 3)
    world.tell(refusing(Failure.OVERLOADED, status=503), "10", "11")
    assert (await world.evaluate(token_file)).reason == "MemberUnavailable"


async def test_nobody_is_there(world: World, token_file: Path) -> None:
    """An evaluation says so, too."""
    found = await world.evaluate(token_file, *world.names)
    assert (found.certificate, found.answered, found.members) == (None, 0, 5)
    assert found.reason == "MemberUnavailable"
    assert "0 of 5 members answered" in found.failure


@pytest.mark.requirement("one lying member decides nothing alone")
@pytest.mark.parametrize("lie", [NOW - timedelta(days=1), NOW + timedelta(days=900)])
async def test_one_liar_neither_hurries_nor_delays(
    lie: datetime, world: World, token_file: Path
) -> None:
    """When to ask again is what somebody honest said."""
    world.tell(world.certify(renew_at=lie), "11")
    found = await world.evaluate(token_file, "14")
    assert found.renew_at == NOW + timedelta(minutes=15)


async def test_certificates_of_a_newer_epoch(world: World, token_file: Path) -> None:
    """The members moved on: the client follows. An epoch that nobody can prove is a failure."""
    async with world.client(token_file) as client:
        await client.history()
        world.epochs.extend(world.cluster.change_policies())
        assert (await client.evaluate({}, {}, NOW)).certificate is not None
        world.cluster.change_policies()
        found = await client.evaluate({}, {}, NOW)
    assert (found.certificate, found.reason) == (None, "MembersDisagree")
    assert "epoch that is not known" in found.failure


async def test_each_member_by_itself(world: World, token_file: Path) -> None:
    """What is relayed to one goes to this one alone; so do its reports, and its errors."""

    async def observe(name: str, request: web.Request) -> web.Response:
        batch = json.loads(await request.content.read())
        return web.Response(
            body=encode(ObservedAnswer(session=name, sequence=batch["sequence"], ready=True))
        )

    async def reports(name: str, request: web.Request) -> web.Response:
        cursor = request.query.get("after", "none")
        return web.Response(
            body=encode(ReportsAnswer(cursor=f"{name}-{cursor}", whole=True, more=False, pods=()))
        )

    async with world.client(token_file, "14") as client:
        links = {link.name: link for link in client.members()}
        assert list(links) == world.names
        await client.history()
        assert [links[link.name] for link in client.members()] == list(links.values())
        world.tell(observe, "11")
        answer = await links["11"].observe(ObservedBatch(session="s", sequence=1))
        assert (answer.session, set(world.asked)) == ("11", {"11"})
        world.tell(reports, "12")
        assert (await links["12"].reports()).cursor == "12-none"
        assert (await links["12"].reports("c")).cursor == "12-c"
        world.tell(refusing(Failure.RESYNC_NEEDED, status=409), "13")
        with pytest.raises(MemberRefused) as refused:
            await links["13"].observe(ObservedBatch(session="s", sequence=2))
        assert refused.value.reason == "ResyncNeeded"
        with pytest.raises(Unavailable, match="did not answer"):
            await links["14"].reports()


async def test_members_come_and_go_with_epochs(world: World, token_file: Path) -> None:
    """Who is no member any more is told nothing; who stays keeps its link."""
    committee = world.cluster.committee
    async with world.client(token_file) as client:
        before = {link.name: link for link in client.members()}
        await client.history()
        seats = committee.seats(**{"14": {"name": "15", "key": Party().identity.public_key.pem}})
        world.epochs.extend(world.cluster.follow(Change.MEMBERSHIP, seats=seats))
        await client.history(newer=True)
        after = {link.name: link for link in client.members()}
        assert list(after) == ["10", "11", "12", "13", "15"]
        assert all(after[name] is before[name] for name in ("10", "11", "12", "13"))
        with pytest.raises(Unavailable, match="no member any more"):
            await before["14"].reports()


async def test_a_member_under_quarantine_is_not_asked(world: World, token_file: Path) -> None:
    """Its word counts for nothing; the others are still four of five."""
    async with world.client(token_file) as client:
        await client.history()
        committee = world.cluster.committee
        seats = committee.seats(**{"10": {"quarantined": True}})
        record = world.cluster.follow(
            Change.QUARANTINE, admins=0, seats=seats, evidence=digest("e")
        )
        world.epochs.extend(record)
        await client.history(newer=True)
        assert [link.name for link in client.members()] == ["11", "12", "13", "14"]
        found = await client.evaluate({}, {}, NOW)
    assert (found.certificate is not None, found.members) == (True, 5)


async def test_a_committee_of_one(token_file: Path) -> None:
    """Its only member certifies and denies, and its error is the evaluation's."""
    world = World(thresholds=PRESETS["dev"])
    assert (await world.evaluate(token_file)).certificate is not None
    world.tell(world.deny(), "10")
    assert (await world.evaluate(token_file)).requirements == (SIGNED, FAILED)
    world.tell(refusing(Failure.MALFORMED, "what?", status=400), "10")
    found = await world.evaluate(token_file)
    assert (found.failure, found.reason) == ("Malformed: what?", "Malformed")
