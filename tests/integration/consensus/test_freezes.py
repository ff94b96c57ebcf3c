"""Freezes at real members over TLS: set at one, in force at all, without operator or token."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from quorate.consensus import freeze
from quorate.consensus.freeze import ORDER_TAG, Order, Scope, SignedOrder
from quorate.consensus.succession import Endorsement
from quorate.consensus.wire import Abstention, Vote
from quorate.keys import LocalSigner
from quorate_io import member_api, tls
from quorate_io.freeze_feed import FreezeFeed
from tests.fakes.asking import user
from tests.integration.consensus.voting_cluster import VotingCluster, vote

MEMBERS = ("2", "3", "4")


def order(name: str = "team-a", life: int = 3600) -> Order:
    """A freeze of a tenant from now on."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Order("cluster-1", Scope.TENANT, name, "incident 7", now, now + timedelta(seconds=life))


def signed(one: Order, admin: LocalSigner) -> SignedOrder:
    """It, by an administrator."""
    signature = admin.sign(ORDER_TAG + freeze.encode(one))
    return SignedOrder(one, (Endorsement(admin.public_key.pem, signature),))


async def post(url: str, body: bytes) -> tuple[int, dict[str, object]]:
    """What the member at ``url`` answers to an order, of somebody without any token."""
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(url + member_api.FREEZES_PATH, data=body, headers=headers) as response,
    ):
        return response.status, await response.json()


def feed(session: aiohttp.ClientSession) -> FreezeFeed:
    """What the member of this session says is frozen."""

    async def fetch(query: tuple[tuple[str, str], ...]) -> bytes:
        async with session.get(member_api.FREEZES_PATH, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    return FreezeFeed(fetch)


@pytest.fixture
def voting(tmp_path: Path) -> VotingCluster:
    """A member that votes."""
    made = VotingCluster(tmp_path)
    assert made.init().returncode == 0
    return made


@pytest.mark.requirement("freeze: one administrator sets it, at a member, without the operator")
async def test_what_is_frozen_is_not_voted_for(voting: VotingCluster) -> None:
    """From the moment the member heard, over a kill, until its time ends; others go on. An order
    that nobody who may has signed freezes nothing."""
    ask = voting.ask(voting.request(user("hi")))
    with voting.killed(*voting.voting()):
        await voting.observe()
        async with voting.session_to() as session:
            assert isinstance(await vote(session, ask), Vote)
            status, body = await post(voting.url, member_api.encode(signed(order(), voting.owner)))
            assert (status, body["reason"]) == (403, "Forbidden")
            assert (await post(voting.url, b"{}"))[0] == 400
            assert isinstance(await vote(session, ask), Vote)
            for name in ("team-b", "team-a"):
                one = signed(order(name), voting.admin)
                status, body = await post(voting.url, member_api.encode(one))
                assert (status, body["kept"]) == (200, True)
            assert await vote(session, ask) == Abstention(1, "Frozen")
    with voting.member(*voting.voting()):
        await voting.observe()
        async with voting.session_to() as session:
            assert await vote(session, ask) == Abstention(1, "Frozen")
        assert "quorate_member_freezes 2.0" in voting.health("/metrics")


@pytest.mark.requirement("freeze: in force in every sidecar within 2 s without the operator")
async def test_a_waiting_sidecar_hears_at_once(voting: VotingCluster) -> None:
    """Twenty questions are kept until there is news; a new process is another beginning."""
    with voting.member(*voting.voting()):
        async with voting.session_to("pod") as pod, voting.session_to("") as nobody:
            feeds = [feed(session) for session in (pod, nobody) for _ in range(10)]
            whole = asyncio.gather(*(one.next() for one in feeds))
            assert await asyncio.wait_for(whole, 8) == [()] * 20
            waiting = [asyncio.create_task(one.next()) for one in feeds]
            await asyncio.sleep(0.5)
            begin = time.monotonic()
            await post(voting.url, member_api.encode(signed(order(), voting.admin)))
            heard = await asyncio.wait_for(asyncio.gather(*waiting), 8)
            assert time.monotonic() - begin < 2
            assert [[one.order.name for one in orders] for orders in heard] == [["team-a"]] * 20


async def dribble(port: int) -> list[asyncio.StreamWriter]:
    """Twenty orders from another address, of which only the beginning comes."""
    context = tls.unverified_context()
    found = []
    for _ in range(20):
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, local_addr=("127.0.0.9", 0)
        )
        head = "POST /v1/freezes HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 4000\r\n\r\n{{".encode())
        found.append(writer)
    return found


@pytest.mark.requirement("freeze: one administrator sets it, at a member, without the operator")
async def test_who_sends_slowly_holds_up_no_freeze(voting: VotingCluster) -> None:
    """A stranger that keeps many orders unfinished takes no place of an administrator's."""
    with voting.member(*voting.voting()):
        writers = await dribble(voting.port)
        await asyncio.sleep(0.2)
        one = member_api.encode(signed(order(), voting.admin))
        assert (await post(voting.url, one))[0] == 200
        for writer in writers:
            writer.close()


async def known(cluster: VotingCluster, name: str) -> set[str]:
    """The tenants that a member says are frozen."""
    async with cluster.session_to("", name) as session:
        return {one.order.name for one in await feed(session).next()}


@pytest.mark.requirement("freeze: members pass it on, over whatever paths are left")
async def test_members_pass_freezes_on(tmp_path: Path) -> None:
    """Said to one of two, it is at the other within two seconds; a third that starts later hears it
    from them, and what only it knew they hear from it."""
    cluster = VotingCluster(tmp_path, n=5)
    for name in ("1", "2", "3"):
        assert cluster.init(name=name).returncode == 0
    with cluster.voters("1", "2"):
        # What was asked of the other while it was not there yet is asked again.
        await asyncio.sleep(2)
        begin = time.monotonic()
        one = member_api.encode(signed(order("team-a"), cluster.admin))
        assert (await post(cluster.url_of("1"), one))[0] == 200
        while await known(cluster, "2") != {"team-a"}:
            assert time.monotonic() - begin < 2
            await asyncio.sleep(0.05)
        with cluster.voters("3"):
            other = member_api.encode(signed(order("team-b"), cluster.admin))
            assert (await post(cluster.url_of("3"), other))[0] == 200
            begin = time.monotonic()
            for name in ("1", "2", "3"):
                while await known(cluster, name) != {"team-a", "team-b"}:
                    assert time.monotonic() - begin < 10, name
                    await asyncio.sleep(0.1)
