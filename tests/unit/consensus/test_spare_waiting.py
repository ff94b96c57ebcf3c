"""A member without a seat: it shows the chain and its key, and notices when it gets one."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import spare as spares
from quorate.consensus.epoch import Change
from quorate.consensus.spare import Spare
from quorate.errors import InvalidInput
from quorate.genesis import encode
from quorate.keys import LocalSigner
from quorate_consensus import chain_peers
from quorate_consensus.settings import Address, Settings, parse_arguments
from quorate_consensus.spare import Waiting, waiting
from quorate_consensus.votes.store import Owner, VoteStore
from quorate_consensus.voting_settings import VotingSettings
from quorate_io import tls
from quorate_io.clock import SystemClock
from quorate_io.stranger import identity_key
from tests.fakes.ballots import digest
from tests.fakes.committee_servers import Servers
from tests.integration.consensus.member_process import free_port, pem

pytestmark = pytest.mark.requirement("self-healing: a spare proves which key it holds")
KEY = ed25519.Ed25519PrivateKey.generate()
HOST = "127.0.0.1"


def arguments(folder: Path, *extra: str) -> list[str]:
    """As the chart starts a spare."""
    files = [f"--{name}={folder / name}" for name in ("genesis", "key", "token-keys", "epochs")]
    here = ["--issuer=x", f"--tls-name={HOST}", "--spare=15", "--judges=seat"]
    return ["serve", *files, *here, *extra]


class Scene:
    """A committee that serves its chain, and a spare that asks it."""

    def __init__(self, servers: Servers, template: str, folder: Path) -> None:
        self.servers = servers
        (folder / "genesis").write_bytes(encode(servers.epochs.genesis))
        (folder / "key").write_bytes(pem(KEY))
        (folder / "token-keys").write_bytes(b"")
        settings = parse_arguments(arguments(folder, f"--member-url={template}"))
        self.settings: Settings = replace(settings, listen=Address(HOST, free_port()))
        self.url = f"https://{HOST}:{self.settings.listen.port}"

    @property
    def digest(self) -> str:
        """Of the genesis."""
        return self.servers.epochs.genesis.digest_text

    def quarantine(self) -> None:
        """The last member is found lying."""
        committee = self.servers.cluster.committee
        record = committee.next_record(
            Change.QUARANTINE,
            seats=committee.seats(**{"14": {"quarantined": True}}),
            evidence=digest("e"),
        )
        self.servers.epochs.extend(committee.endorse(record, members=4))
        committee.open(record)

    async def seat(self, key: str) -> None:
        """Everybody signs that the spare takes its seat."""
        committee, epochs = self.servers.cluster.committee, self.servers.epochs
        record = spares.propose(epochs.history, Spare("15", "rack-5"), key)
        epochs.extend(committee.endorse(record, members=4, admins=2))


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """All members serve."""
    monkeypatch.setattr(chain_peers, "LEARN_SECONDS", 0.2)
    monkeypatch.setattr(chain_peers, "PAUSE_SECONDS", 0.05)

    async def nothing(name: str, request: web.Request) -> web.Response:
        return web.Response(status=404)

    servers = Servers(nothing)
    async with servers.serving() as template:
        yield Scene(servers, template, tmp_path)


async def seated(spare: Waiting, seconds: float = 10.0) -> None:
    """Until it notices its seat."""
    async with asyncio.timeout(seconds):
        await spare.seated.wait()


async def test_it_waits_and_notices_its_seat(scene: Scene) -> None:
    """Through a quarantine it goes on waiting, and proves its key all the while; the record that
    seats it with that very key ends the wait, also for the next process at once."""
    async with waiting(scene.settings, SystemClock()) as spare:
        assert spare.not_ready() == []
        told = await identity_key(scene.url, scene.digest, 0, SystemClock())
        assert told == LocalSigner(KEY).public_key.pem
        scene.quarantine()
        await asyncio.sleep(0.5)
        assert not spare.seated.is_set()
        assert await identity_key(scene.url, scene.digest, 1, SystemClock()) == told
        await scene.seat(told)
        await seated(spare)
    async with waiting(scene.settings, SystemClock()) as spare:
        assert spare.seated.is_set()


async def test_a_seat_of_its_name_with_another_key_is_not_its_own(scene: Scene) -> None:
    """Somebody signed what a stolen token had prepared: the spare stays where it is."""
    scene.quarantine()
    other = LocalSigner(ed25519.Ed25519PrivateKey.generate()).public_key.pem
    async with waiting(scene.settings, SystemClock()) as spare:
        await scene.seat(other)
        await asyncio.sleep(0.8)
        assert not spare.seated.is_set()


async def test_its_store_is_made_while_its_key_never_voted(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once as many members as must sign told it that it has no seat, and not before: by then who
    lost a store would have heard of the seat. What is there is left alone; with a seat none is made
    any more, so that a member without its store does not start."""
    voting = VotingSettings(tmp_path / "votes", "seat")
    settings = replace(scene.settings, voting=voting)
    monkeypatch.setattr(chain_peers, "TIMEOUT", aiohttp.ClientTimeout(total=1.0))
    for name in ("10", "11"):
        scene.servers.members[name].stall = True
    async with waiting(settings, SystemClock()):
        await asyncio.sleep(2.5)
        assert scene.servers.members["12"].bootstraps > 1
        assert not VoteStore.is_there(voting.store)
    for name in ("10", "11"):
        scene.servers.members[name].stall = False
    async with waiting(settings, SystemClock()):
        async with asyncio.timeout(10):
            while not VoteStore.is_there(voting.store):  # noqa: ASYNC110 - a file tells no event
                await asyncio.sleep(0.05)
    signer = LocalSigner(KEY)
    VoteStore(voting.store, Owner("15", signer.public_key.key_id, scene.digest))
    (voting.store / "left").write_bytes(b"here")
    async with waiting(settings, SystemClock()) as spare:
        await asyncio.sleep(0.5)
        assert (voting.store / "left").exists()
        scene.quarantine()
        await scene.seat(signer.public_key.pem)
        await seated(spare)
    shutil.rmtree(voting.store)
    async with waiting(settings, SystemClock()) as spare:
        await asyncio.sleep(0.5)
        assert spare.seated.is_set()
    assert not VoteStore.is_there(voting.store)


async def test_it_answers_nothing_but_the_chain(scene: Scene) -> None:
    """No state, no ask, no proposal; the chain as any member serves it."""
    context = tls.unverified_context()
    async with waiting(scene.settings, SystemClock()), aiohttp.ClientSession() as session:
        for method, path, status in (
            ("GET", "/v1/genesis", 200),
            ("GET", "/v1/genesis?after=x", 400),
            ("GET", "/v1/state", 404),
            ("POST", "/v1/asks", 404),
            ("POST", "/v1/epochs", 404),
            ("POST", "/v1/genesis", 405),
        ):
            url = scene.url + path
            async with session.request(method, url, ssl=context) as answer:
                assert answer.status == status, path


def test_a_spare_is_told_where_members_are(tmp_path: Path) -> None:
    """Without them it would wait for ever; judges are those of the seat."""
    with pytest.raises(InvalidInput, match="spare"):
        parse_arguments(arguments(tmp_path))
    url = "--member-url=https://127.0.0.{member}:8443"
    found = parse_arguments(arguments(tmp_path, url, "--store=/s"))
    assert found.spare == "15"
    assert found.voting is not None
    assert found.voting.judges == "seat"
