"""A client that follows the chain of epochs, from members that are honest, behind, or lying."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from quorate.consensus.epoch import Change, Epoch
from quorate.consensus.thresholds import Thresholds
from quorate.errors import QuorateError, SignatureError, SubjectMismatch, Unavailable
from quorate_consensus.epochs import Epochs
from quorate_io import member_api, member_channel, member_channels
from quorate_io.committee_client import CommitteeClient
from quorate_io.member_api import CHAIN_PAGE
from tests.fakes.ballots import Committee, Party, digest
from tests.fakes.member_server import FILES, FakeMember


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class World:
    """A committee with a chain, and its members' servers."""

    def __init__(self, n: int = 5) -> None:
        thresholds = Thresholds(5, 3, 4, 1) if n == 5 else Thresholds(n, n, n, 0)
        self.committee = Committee(thresholds, prefix="1")
        self.genesis: Epoch = self.committee.epoch
        self.epochs = Epochs(self.genesis)
        self.port = _free_port()

    def member(self, name: str = "10", **rest: Any) -> FakeMember:
        """The server of a member, with the key it has now and the chain of everybody."""
        key = self.committee.parties[name].private
        where: dict[str, Any] = {"host": f"127.0.0.{name}", "port": self.port}
        chain: dict[str, Any] = {"epochs": self.epochs, "genesis": self.genesis}
        return FakeMember(name=name, key=key, **(where | chain | rest))

    def follow(self, change: Change = Change.POLICIES, members: int = 5, **fields: Any) -> None:
        """One more epoch."""
        if change is Change.POLICIES:
            number = self.committee.epoch.record.number
            fields = {"policies": digest("abcdef"[number % 6])}
        record = self.committee.next_record(change, **fields)
        self.epochs.extend(self.committee.endorse(record, members, admins=2))
        self.committee.open(record)

    def rotate(self, name: str) -> None:
        """``name`` gets a new key."""
        fresh = Party()
        key = fresh.identity.public_key.pem
        self.follow(Change.MEMBERSHIP, seats=self.committee.seats(**{name: {"key": key}}))
        self.committee.parties[name] = fresh

    def quarantine(self, name: str) -> None:
        """``name`` was found lying."""
        seats = self.committee.seats(**{name: {"quarantined": True}})
        self.follow(Change.QUARANTINE, seats=seats, evidence=digest("e"))

    @property
    def template(self) -> str:
        """Where all members are."""
        return f"https://127.0.0.{{member}}:{self.port}"

    def client(self, token_file: Path, url: str, *names: str) -> CommitteeClient:
        """A client that knows the digest of the genesis; of one member, or of all."""
        return CommitteeClient(url, names, self.genesis.digest_text, token_file, timeout=2.0)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A token."""
    path = tmp_path / "token"
    path.write_text("a.token.x")
    return path


@pytest.mark.requirement("members and sidecars trust the chain, from the pinned genesis")
async def test_the_chain_leads_from_the_pinned_digest_to_a_member_of_today(
    token_file: Path,
) -> None:
    """The member's key is not in the genesis: the records in between say that it is one."""
    world = World()
    world.rotate("10")
    world.follow()
    fake = world.member("10")
    async with fake.serving() as url, world.client(token_file, url) as client:
        assert (await client.history()).head == world.committee.epoch
        assert (await client.manifest(FILES.digest)).digest == FILES.digest
    assert fake.tokens == ["Bearer a.token.x"]


@pytest.mark.requirement("only a verified member sees the token")
async def test_who_is_no_member_any_more_sees_no_token(token_file: Path) -> None:
    """A key that was rotated out, or that lied, is no authority for those who know the chain."""
    for away in ("rotated", "quarantined"):
        world = World()
        fake = world.member("10")
        if away == "rotated":
            world.rotate("10")
        else:
            world.quarantine("10")
        async with fake.serving() as url, world.client(token_file, url) as client:
            with pytest.raises(SubjectMismatch, match="no member's"):
                await client.manifest(FILES.digest)
        assert fake.tokens == []


async def test_a_long_chain_comes_in_pages(token_file: Path) -> None:
    """Followed to its end in one go, however many answers that takes."""
    world = World(1)
    for _ in range(CHAIN_PAGE + 2):
        world.follow()
    fake = world.member()
    async with fake.serving() as url, world.client(token_file, url) as client:
        assert (await client.history()).head.record.number == CHAIN_PAGE + 2
    assert fake.bootstraps == 3


@pytest.mark.requirement("members and sidecars trust the chain, from the pinned genesis")
async def test_newer_epochs_are_followed_when_they_are_asked_for(token_file: Path) -> None:
    """What is known is given again for a while; a reason to ask is followed at once."""
    world = World()
    fake = world.member("11")
    async with fake.serving() as url, world.client(token_file, url) as client:
        first = await client.history()
        world.rotate("10")
        assert await client.history() is first
        newest = await client.history(newer=True)
        assert newest.head == world.committee.epoch
        assert await client.history() is newest
        assert (await client.manifest(FILES.digest)).digest == FILES.digest


async def test_what_is_known_grows_old(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while members are asked though nothing names a newer epoch."""
    world = World()
    fake = world.member("11")
    async with fake.serving() as url, world.client(token_file, url) as client:
        await client.history()
        world.quarantine("14")
        monkeypatch.setattr(member_channels, "HISTORY_SECONDS", 0.0)
        assert (await client.history()).head == world.committee.epoch


async def test_while_nobody_answers_what_is_known_counts(token_file: Path) -> None:
    """What was certified stays true; it is not asked for again at every call."""
    world = World()
    async with world.member("11").serving() as url:
        client = world.client(token_file, url)
        known = await client.history()
    async with client:
        assert await client.history(newer=True) is known
    async with world.client(token_file, "https://127.0.0.1:1") as client:
        with pytest.raises(Unavailable):
            await client.history()


@pytest.mark.requirement("a member that lies cannot hide an epoch from whoever asks others too")
async def test_a_member_that_hides_what_is_new_is_not_the_only_one_asked(
    token_file: Path,
) -> None:
    """The first member in the list serves nothing after the genesis, the second everything."""
    world = World()
    hiding, honest = world.member("11", epochs=None), world.member("12")
    async with (
        hiding.serving(),
        honest.serving(),
        world.client(token_file, world.template, "11", "12") as client,
    ):
        await client.history()
        world.follow()
        assert (await client.history(newer=True)).head == world.committee.epoch


@pytest.mark.requirement("a member that lies cannot hide an epoch from whoever asks others too")
async def test_who_hides_what_is_new_does_not_win_by_being_fast(token_file: Path) -> None:
    """One of five may lie: until two have told, the slower one is waited for."""
    world = World()
    honest = Dribbling(**vars(world.member("12")))
    async with (
        world.member("11", epochs=None).serving(),
        honest.serving(),
        world.client(token_file, world.template, "11", "12") as client,
    ):
        await client.history()
        world.follow()
        assert (await client.history(newer=True)).head == world.committee.epoch


async def test_a_client_is_not_led_back(token_file: Path) -> None:
    """A member that is behind, asked later, takes away nothing that is known."""
    world = World()
    world.follow()
    honest, behind = world.member("11"), world.member("12", epochs=None)
    async with behind.serving():
        async with honest.serving():
            client = world.client(token_file, world.template, "11", "12")
            newest = await client.history()
        async with client:
            assert await client.history(newer=True) is newest
            assert (await client.manifest(FILES.digest)).digest == FILES.digest


class Dribbling(FakeMember):
    """Serves one record at a time, slowly."""

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return await super()._handle(request)


@pytest.mark.requirement("bounds: a member that lies cannot hold up those who ask others too")
async def test_a_member_that_dribbles_its_chain_holds_nobody_up(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the time for all pages the next member is asked; what was followed is not lost."""
    world = World(1)
    for _ in range(12):
        world.follow()
    monkeypatch.setattr(member_api, "CHAIN_PAGE", 1)
    monkeypatch.setattr(member_channel, "TIMEOUT_CHAIN", 0.7)
    key = world.committee.parties["10"].private
    slow = Dribbling(name="10", key=key, epochs=world.epochs, genesis=world.genesis)
    async with slow.serving() as first:
        client = world.client(token_file, first)
        async with client, asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await client.history()
            behind = client._channels._followed.number
            assert 0 < behind < 12
            with pytest.raises(Unavailable):
                await client.manifest(FILES.digest)
            assert client._channels._followed.number > behind
    world = World()
    for _ in range(12):
        world.follow()
    slow = Dribbling(**vars(world.member("10")))
    async with (
        slow.serving(),
        world.member("11").serving(),
        world.client(token_file, world.template, "10", "11") as client,
        asyncio.timeout(3),
    ):
        assert (await client.history()).head == world.committee.epoch


async def test_names_of_long_ago_lead_to_the_members_of_today(token_file: Path) -> None:
    """Nobody who was named is a member any more; they still know who is."""
    world = World(1)
    old = world.member("10")
    fresh = Party()
    seats = world.committee.seats(**{"10": {"name": "11", "key": fresh.identity.public_key.pem}})
    world.follow(Change.MEMBERSHIP, seats=seats)
    world.committee.parties = {"11": fresh}
    new = world.member("11")
    async with (
        old.serving(),
        new.serving(),
        world.client(token_file, world.template, "10") as client,
    ):
        assert (await client.manifest(FILES.digest)).digest == FILES.digest
    assert (old.tokens, len(new.tokens)) == ([], 1)


class Forged(Epochs):
    """A chain with records that nobody certified."""

    def __init__(self, genesis: Epoch, forged: list[Any]) -> None:
        super().__init__(genesis)
        self._forged = forged

    def after(self, number: int) -> list[Any]:
        """All of them, whatever was asked for."""
        return self._forged


@pytest.mark.requirement("nobody can forge an epoch")
async def test_records_that_nobody_certified_are_not_followed(token_file: Path) -> None:
    """Too few members; a record of another cluster; one with a gap before it. No token is shown."""
    world, stranger = World(), World()
    few = world.committee.endorse(
        world.committee.next_record(Change.POLICIES, policies=digest("f")), members=3, admins=2
    )
    foreign = stranger.committee.endorse(
        stranger.committee.next_record(Change.POLICIES, policies=digest("f")), 5, 2
    )
    gap = world.committee.endorse(
        world.committee.next_record(Change.POLICIES, policies=digest("f"), number=2), 5, 2
    )
    for forged, error in ((few, SignatureError), (foreign, QuorateError), (gap, SubjectMismatch)):
        fake = world.member("11", epochs=Forged(world.genesis, [forged]))
        async with fake.serving() as url, world.client(token_file, url) as client:
            with pytest.raises(error):
                await client.manifest(FILES.digest)
        assert fake.tokens == []


async def test_a_member_that_repeats_a_page_is_not_followed_for_ever(token_file: Path) -> None:
    """Records that are known already lead nowhere: that is the end of its chain."""
    world = World()
    world.follow()
    fake = world.member("11", epochs=Forged(world.genesis, list(world.epochs.after(0))))
    async with fake.serving() as url, world.client(token_file, url) as client:
        async with asyncio.timeout(5):
            assert (await client.history()).head == world.committee.epoch
    assert fake.bootstraps == 2
