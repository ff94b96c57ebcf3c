"""The client of a committee, against members that lie, are down, late, or of another mind.

The servers here are fakes, on real TLS and loopback; real members are in tests/integration.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from quorate.alerts import Rule
from quorate.consensus.epoch import Change
from quorate.consensus.history import EpochUnknown
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError, Unavailable
from quorate.signed_state import PodState, StateDenial, StateDenied
from quorate.vouched import NoQuorum
from quorate_io import member_channels
from quorate_io.committee_client import CommitteeClient, MemberRefused
from quorate_io.member_api import Failure, Report, ReportHeard, encode
from tests.fakes.ballots import Party
from tests.fakes.committee_servers import Answering, Servers, refusing
from tests.fakes.member_server import FILES
from tests.fakes.signing_epochs import RULES, see_receipt
from tests.fakes.vouching import NOW, model_files
from tests.unit.operator.fake_api import FixedClock

DENIAL: dict[str, Any] = {
    "rules": None,
    "manifest_digest": None,
    "policies": (),
    "denial": StateDenial("GateFailed", "red team failed"),
}
OTHER_RULES = msgspec.structs.replace(RULES, requests_per_minute=1_000_000)


class World(Servers):
    """Five members that say the same of pod ``uid``, and a client."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(self.say(), **rest)

    def say(self, **changes: Any) -> Answering:
        """A state with changes, in the member's own name."""

        async def answer(name: str, request: web.Request) -> web.Response:
            return web.Response(body=self.cluster.state(name, **changes))

        return answer

    def issue(self, **changes: Any) -> Answering:
        """A receipt with changes, likewise."""

        async def answer(name: str, request: web.Request) -> web.Response:
            return web.Response(body=self.cluster.receipt(name, **changes))

        return answer

    @asynccontextmanager
    async def client(self, token_file: Path, *down: str) -> AsyncIterator[CommitteeClient]:
        """A client of all members, of whom some are ``down``."""
        digest = self.epochs.genesis.digest_text
        async with (
            self.serving(*down) as url,
            CommitteeClient(
                url, self.names, digest, token_file, clock=FixedClock(NOW), timeout=2.0
            ) as client,
            asyncio.timeout(10),
        ):
            yield client


def late(answering: Answering, seconds: float = 30.0) -> Answering:
    """The same, later."""

    async def answer(name: str, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await answering(name, request)

    return answer


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


async def state(world: World, token_file: Path, *down: str) -> PodState:
    """The pod's state, asked for once."""
    async with world.client(token_file, *down) as client:
        return await client.state("uid")


def is_quick(seconds: float = 1.5) -> asyncio.Timeout:
    """Less than anybody's time-out."""
    return asyncio.timeout(seconds)


@pytest.mark.requirement("a state counts once r + 1 members say the same")
async def test_a_state_is_what_members_say_alike(world: World, token_file: Path) -> None:
    """All of them are asked; each keeps its own times."""
    found = await state(world, token_file)
    assert (found.rules, found.expires_at) == (RULES, NOW + timedelta(minutes=10))
    assert sorted(set(world.asked)) == world.names


@pytest.mark.requirement("a state counts once r + 1 members say the same")
async def test_two_of_five_are_enough_and_one_is_not(world: World, token_file: Path) -> None:
    """With three down a pod still hears; one member alone is not believed."""
    assert (await state(world, token_file, "10", "11", "12")).rules == RULES
    with pytest.raises(Unavailable, match=r"1 of 5 members answered; 10: .*did not answer"):
        await state(world, token_file, "10", "11", "12", "13")


@pytest.mark.requirement("one lying member decides nothing alone")
async def test_a_liar_neither_allows_nor_denies(world: World, token_file: Path) -> None:
    """It answers first and the others after it: what it says alone is not what comes out."""
    honest = world.say()
    for lie in (world.say(rules=OTHER_RULES), world.say(**DENIAL)):
        world.tell(late(honest, 0.2), *world.names)
        world.tell(lie, "10")
        assert (await state(world, token_file)).rules == RULES


async def test_enough_members_that_deny(world: World, token_file: Path) -> None:
    """Two of them, whatever each says: one is honest."""
    other = DENIAL | {"denial": StateDenial("ModelUnknown", "what model?")}
    world.tell(world.say(**DENIAL), *world.names)
    world.tell(world.say(**other), "14")
    with pytest.raises(StateDenied) as denied:
        await state(world, token_file, "10", "11")
    assert denied.value.reason in ("GateFailed", "ModelUnknown")
    assert "of 5 members" in str(denied.value)


@pytest.mark.requirement("a slow member delays nobody")
async def test_who_is_late_is_not_waited_for(world: World, token_file: Path) -> None:
    """Two hang for ever: the state comes from the rest, as fast as without them."""
    world.tell(late(world.say()), "10", "13")
    async with world.client(token_file) as client:
        for _ in range(3):
            async with is_quick():
                assert (await client.state("uid")).rules == RULES


async def test_who_is_a_little_late_keeps_its_connection(world: World, token_file: Path) -> None:
    """It is not waited for, and not cut off either: it answers in the end."""
    done: list[str] = []

    async def slow(name: str, request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        done.append(name)
        return web.Response(body=world.cluster.state(name))

    world.tell(slow, "10")
    async with world.client(token_file) as client:
        await client.state("uid")
        assert done == []
        await asyncio.sleep(0.7)
    assert done == ["10"]


@pytest.mark.requirement("one lying member decides nothing alone")
async def test_a_liar_does_not_shorten_a_states_life(world: World, token_file: Path) -> None:
    """It says the same with another end: enough others are heard before the end is settled."""
    short = world.say(expires_at=NOW + timedelta(seconds=1))
    for name in world.names:
        world.other.clear()
        world.tell(short, name)
        assert (await state(world, token_file)).expires_at == NOW + timedelta(minutes=10)


@pytest.mark.requirement("distinct members: nobody's word counts twice")
async def test_a_member_that_repeats_another(world: World, token_file: Path) -> None:
    """What an honest member said to somebody once is not two members' word."""

    async def repeat(name: str, request: web.Request) -> web.Response:
        return web.Response(body=world.cluster.state("14", rules=OTHER_RULES))

    world.tell(repeat, *world.names)
    with pytest.raises(Unavailable, match="what another member said"):
        await state(world, token_file)


async def test_members_that_say_five_different_things(world: World, token_file: Path) -> None:
    """None of it counts, and the error says how it stands."""
    for number, name in enumerate(world.names):
        rules = msgspec.structs.replace(RULES, requests_per_minute=number + 1)
        world.tell(world.say(rules=rules), name)
    with pytest.raises(NoQuorum, match=r"2 members must say the same.*1 allow alike, 1 allow") as e:
        await state(world, token_file)
    assert (e.value.said, e.value.needed, e.value.different) == (1, 2, 5)


async def test_what_all_members_refuse_for_one_reason(world: World, token_file: Path) -> None:
    """Their reason is the error's; with different ones it is only said."""
    world.tell(refusing(Failure.POD_UNKNOWN), *world.names)
    with pytest.raises(MemberRefused, match="0 of 5 members answered") as refused:
        await state(world, token_file)
    assert (refused.value.status, refused.value.reason) == (403, "PodUnknown")
    world.tell(refusing(Failure.OVERLOADED, status=503), "12")
    with pytest.raises(Unavailable, match="12: Overloaded: no") as error:
        await state(world, token_file)
    assert not isinstance(error.value, MemberRefused)


@pytest.mark.requirement("only a verified member sees the token")
async def test_a_member_in_anothers_place_sees_no_token(world: World, token_file: Path) -> None:
    """Each channel believes the member whose seat it is for, and no other one."""
    usurper = world.members["10"]
    usurper.key = world.cluster.committee.parties["11"].private
    async with world.client(token_file) as client:
        assert (await client.state("uid")).rules == RULES
        await asyncio.sleep(0.3)
    assert usurper.bootstraps
    assert usurper.tokens == []


@pytest.mark.requirement("members and sidecars trust the chain, from the pinned genesis")
async def test_the_members_of_the_newest_epoch_are_asked(world: World, token_file: Path) -> None:
    """One leaves and one comes: the next question is for those who are members now."""
    committee = world.cluster.committee
    async with world.client(token_file) as client:
        await client.state("uid")
        fresh = Party()
        key = fresh.identity.public_key.pem
        seats = committee.seats(**{"14": {"name": "15", "key": key}})
        world.epochs.extend(world.cluster.follow(Change.MEMBERSHIP, seats=seats))
        committee.parties = {**committee.parties, "15": fresh}
        del committee.parties["14"]
        newcomer = world.member("15")
        newcomer.port = world.members["10"].port
        async with newcomer.serving():
            assert (await client.history(newer=True)).head == committee.epoch
            world.asked.clear()
            assert (await client.state("uid")).rules == RULES
            await asyncio.sleep(0.3)
    assert sorted(set(world.asked)) == ["10", "11", "12", "13", "15"]


@pytest.mark.requirement("members and sidecars trust the chain, from the pinned genesis")
async def test_a_word_of_a_newer_epoch_is_a_reason_to_follow(
    world: World, token_file: Path
) -> None:
    """The members moved on since: what they say now counts at once; a made-up epoch does not."""
    async with world.client(token_file) as client:
        await client.state("uid")
        world.epochs.extend(world.cluster.change_policies())
        assert (await client.state("uid")).rules == RULES
        assert (await client.history()).head == world.cluster.committee.epoch
        world.cluster.change_policies()
        with pytest.raises(QuorateError, match="not known"):
            await client.state("uid")


@pytest.mark.requirement("receipts carry q signatures of members")
async def test_a_receipt_is_signed_by_a_strict_quorum(world: World, token_file: Path) -> None:
    """Four of five sign the same; the fifth is down, denies, or signs something else."""
    cluster = world.cluster
    lies = (
        refusing(Failure.RECEIPT_DENIED),
        world.issue(node_uid="elsewhere"),
        world.issue(epoch=f"sha256:{'0' * 64}"),
    )
    world.tell(world.issue(), *world.names)
    for lie in lies:
        world.tell(lie, "12")
        async with world.client(token_file) as client:
            see_receipt(await client.receipt(b"request"), cluster.history)
    async with world.client(token_file, "12") as client:
        see_receipt(await client.receipt(b"request"), cluster.history)


@pytest.mark.requirement("receipts carry q signatures of members")
async def test_fewer_than_a_quorum_sign_no_receipt(world: World, token_file: Path) -> None:
    """Three that answer are too few; four that do not agree are as well."""
    world.tell(world.issue(), *world.names)
    async with world.client(token_file, "10", "11") as client:
        with pytest.raises(Unavailable, match="3 of 5 members answered"):
            await client.receipt(b"request")
    world.tell(world.issue(node_uid="elsewhere"), "10", "11")
    async with world.client(token_file) as client:
        with pytest.raises(NoQuorum, match="3 members signed the same receipt; 4 must; 2 diff"):
            await client.receipt(b"request")


async def test_so_many_deny_a_receipt_that_there_is_none(world: World, token_file: Path) -> None:
    """Two of five: the reason that most of them give, without waiting for the rest."""
    world.tell(late(world.issue()), *world.names)
    world.tell(refusing(Failure.RECEIPT_DENIED, "the pod moved"), "10", "11")
    async with world.client(token_file) as client, is_quick():
        with pytest.raises(MemberRefused, match=r"the pod moved \(said by 2 of 5") as refused:
            await client.receipt(b"request")
    assert (refused.value.reason, refused.value.field) == ("ReceiptDenied", "ReceiptDenied")


@pytest.mark.requirement("a slow member delays nobody")
async def test_a_receipt_does_not_wait_for_the_last(world: World, token_file: Path) -> None:
    """It is there with the fourth signature."""
    world.tell(world.issue(), *world.names)
    world.tell(late(world.issue()), "13")
    async with world.client(token_file) as client, is_quick():
        see_receipt(await client.receipt(b"request"), world.cluster.history)


async def test_receipts_of_a_newer_epoch(world: World, token_file: Path) -> None:
    """The members moved on: the client follows, and combines what they signed."""
    world.tell(world.issue(), *world.names)
    async with world.client(token_file) as client:
        await client.history()
        world.epochs.extend(world.cluster.change_policies())
        see_receipt(await client.receipt(b"request"), world.cluster.history)
        world.cluster.change_policies()
        with pytest.raises(EpochUnknown):
            await client.receipt(b"request")


REPORT = Report(rule=Rule.FOREIGN_LISTENER, message="a socket", since=NOW)


def hearing(heard: dict[str, list[bytes]], held: int = 1) -> Answering:
    """A member that keeps what it hears."""

    async def answer(name: str, request: web.Request) -> web.Response:
        heard.setdefault(name, []).append(await request.content.read())
        return web.Response(body=encode(ReportHeard(held=held)))

    return answer


async def test_a_report_goes_to_all_members(world: World, token_file: Path) -> None:
    """It is heard if so many heard it that r + 1 of them are honest, whom the operator believes;
    the least that one of them holds counts. No more must hear it than must sign."""
    heard: dict[str, list[bytes]] = {}
    world.tell(hearing(heard, held=3), *world.names)
    world.tell(hearing(heard, held=2), "11")
    async with world.client(token_file) as client:
        assert await client.report([REPORT]) == 2
    assert sorted(heard) == world.names
    async with world.client(token_file, "10", "11") as client:
        assert await client.report([REPORT]) == 3
    async with world.client(token_file, "10", "11", "12") as client:
        with pytest.raises(Unavailable, match="2 of 5 members answered"):
            await client.report([REPORT])


async def test_an_older_report_does_not_overtake(world: World, token_file: Path) -> None:
    """What a slow member has not heard yet is given up when there is something newer to say."""
    heard: dict[str, list[bytes]] = {}
    world.tell(hearing(heard), *world.names)
    world.tell(late(hearing(heard), 0.6), "10")
    async with world.client(token_file) as client:
        async with is_quick():
            await client.report([REPORT])
        world.tell(hearing(heard), "10")
        await client.report([])
        await asyncio.sleep(0.8)
    assert heard["10"] == [b'{"reports":[]}']


async def test_a_manifest_from_whom_has_it(world: World, token_file: Path) -> None:
    """Members that have none, or another, are passed over."""

    async def manifest(name: str, request: web.Request) -> web.Response:
        return web.json_response((FILES if name == "13" else model_files("1")).document)

    world.tell(manifest, *world.names)
    world.tell(refusing(Failure.NOT_FOUND, status=404), "10")
    async with world.client(token_file) as client:
        assert (await client.manifest(FILES.digest)).digest == FILES.digest
    async with world.client(token_file, "13") as client:
        with pytest.raises(Unavailable, match=r"10: NotFound.*11: the member answered manifest"):
            await client.manifest(FILES.digest)


async def test_a_committee_of_one(token_file: Path) -> None:
    """One member's word is the committee's; its error is the client's."""
    world = World(thresholds=PRESETS["dev"])
    assert (await state(world, token_file)).rules == RULES
    world.tell(world.say(**DENIAL), "10")
    with pytest.raises(StateDenied, match=r"red team failed \(said by 1 of 1 members\)"):
        await state(world, token_file)
    world.tell(refusing(Failure.POD_UNKNOWN), "10")
    with pytest.raises(MemberRefused, match=r"^PodUnknown: no$"):
        await state(world, token_file)


async def test_one_name_for_a_committee_of_one(token_file: Path) -> None:
    """A URL without a template needs no names."""
    world = World(thresholds=PRESETS["dev"])
    async with world.serving() as template:
        url = template.replace("{member}", "10")
        digest = world.epochs.genesis.digest_text
        async with CommitteeClient(url, (), digest, token_file, clock=FixedClock(NOW)) as client:
            assert (await client.state("uid")).rules == RULES


async def test_while_members_hang_what_is_known_is_not_waited_for(
    world: World, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again for epochs, two members never answer: those who do are enough."""
    monkeypatch.setattr(member_channels, "HISTORY_SECONDS", 0.0)
    async with world.client(token_file) as client:
        await client.state("uid")
        for name in ("10", "11"):
            world.members[name].stall = True
        async with is_quick():
            await client.history(newer=True)
            assert (await client.state("uid")).rules == RULES
