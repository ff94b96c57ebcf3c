"""committee acknowledge: one command signs what is prepared, and nothing that was slipped in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import draft as drafts
from quorate.consensus import epoch as epochs
from quorate.consensus import spare as spares
from quorate.consensus.epoch import Admins, Change, EpochRecord
from quorate.consensus.spare import Spare
from quorate.genesis import encode
from quorate.keys import LocalSigner, load_signer
from quorate_cli.cluster import connection
from quorate_cli.cluster.kinds import SAFETY_COMMITTEE
from quorate_cli.committee import forwarding
from quorate_consensus.epochs import Epochs
from quorate_operator.reconcile.committee_plan import hindrance, read_offered
from tests.fakes.ballots import digest
from tests.fakes.committee_servers import Servers
from tests.fakes.member_server import FakeMember
from tests.unit.cli.conftest import Quorate, Ran
from tests.unit.cli.fake_cluster import FakeReader
from tests.unit.cli.test_committee_propose import FakeWriter

pytestmark = pytest.mark.requirement(
    "self-healing: after a quarantine a spare and a prepared epoch change that people acknowledge"
)
KEY = ed25519.Ed25519PrivateKey.generate()
HOST = "127.0.0.15"


class Scene:
    """Five members of whom one lied, a spare, the object, and the command line."""

    def __init__(self, quorate: Quorate, folder: Path, servers: Servers) -> None:
        self.quorate, self.folder, self.servers = quorate, folder, servers
        self.template = ""
        self.reader = FakeReader()
        self.writer = FakeWriter(self.reader)
        committee = servers.cluster.committee
        record = committee.next_record(
            Change.QUARANTINE,
            seats=committee.seats(**{"14": {"quarantined": True}}),
            evidence=digest("e"),
        )
        servers.epochs.extend(committee.endorse(record, members=4))
        committee.open(record)

    @property
    def record(self) -> EpochRecord:
        """As the operator prepares it."""
        key = LocalSigner(KEY).public_key.pem
        return spares.propose(self.servers.epochs.history, Spare("15", "rack-5"), key)

    def prepare(self, record: EpochRecord | None, **status: Any) -> None:
        """Have it in the object."""
        if record is not None:
            status["replacement"] = {"record": epochs.encode(record).decode()}
        metadata = {"name": "committee", "resourceVersion": "1"}
        document = {"kind": SAFETY_COMMITTEE.name, "metadata": metadata, "status": status}
        self.reader.put(document | {"spec": {"proposals": []}})

    async def __call__(self, *words: object, key: str = "ann", output: str = "json") -> Ran:
        """Run the command; it has a loop of its own."""
        at = ("--genesis", self.folder / "genesis.json", "--member-url", self.template)
        command = ("committee", "acknowledge", "--key", self.folder / f"{key}.key")
        return await asyncio.to_thread(self.quorate, *command, *words, *at, "--output", output)

    def offered(self) -> list[EpochRecord]:
        """What the operator finds, all signed as needed."""
        found = self.reader.get(SAFETY_COMMITTEE, "committee")
        assert found is not None
        offered = read_offered(found["spec"])
        assert [hindrance(one, self.servers.epochs.head) for one in offered] == [""] * len(offered)
        return [one.record for one in offered if one.record is not None]


@contextlib.asynccontextmanager
async def standing(
    quorate: Quorate, folder: Path, monkeypatch: pytest.MonkeyPatch, needed: int
) -> AsyncIterator[Scene]:
    """Members and the spare serve; ``needed`` of two people must sign."""
    servers = Servers(_nothing)
    committee = servers.cluster.committee
    for name in ("ann", "ben", "eve"):
        assert quorate("keygen", "--out", folder / name).code == 0
    people = [load_signer((folder / f"{name}.key").read_bytes()) for name in ("ann", "ben")]
    keys = tuple(one.public_key.pem for one in people)
    committee.open(msgspec.structs.replace(committee.epoch.record, admins=Admins(keys, needed)))
    servers.epochs = Epochs(committee.epoch)
    servers.members = {name: servers.member(name) for name in servers.names}
    (folder / "genesis.json").write_bytes(encode(committee.epoch))
    scene = Scene(quorate, folder, servers)
    both = (scene.reader, scene.writer)
    monkeypatch.setattr(connection, "connect_both", lambda _arguments: both)
    async with servers.serving() as template:
        port = servers.members["10"].port
        genesis = servers.epochs.genesis
        spare = FakeMember(_refused, "15", KEY, host=HOST, port=port, genesis=genesis)
        scene.template = template
        async with spare.serving():
            yield scene
        assert spare.tokens == []


async def _nothing(name: str, request: web.Request) -> web.Response:
    return web.Response(status=404)


async def _refused(request: web.Request) -> web.Response:
    return web.Response(status=404)


@pytest.fixture
async def scene(
    quorate: Quorate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    """One of two people is enough."""
    async with standing(quorate, tmp_path, monkeypatch, 1) as one:
        yield one


async def test_one_command_signs_and_proposes(scene: Scene) -> None:
    """It says what changes; the operator finds the very record that was prepared, signed. Said
    again it changes nothing; a dry run keeps nothing."""
    record = scene.record
    scene.prepare(record)
    dry = await scene("--dry-run")
    assert (dry.code, dry.document["proposed"], scene.offered()) == (0, False, [])
    ran = await scene()
    assert ran.code == 0, ran.err
    assert (ran.document["member"], ran.document["by"]) == ("14", "15")
    assert (ran.document["proposed"], ran.document["name"]) == (True, "acknowledged-2")
    assert scene.offered() == [record]
    text = await scene(output="text")
    assert "15" in text.out
    assert "rack-5" in text.out
    assert scene.offered() == [record]


async def test_where_two_must_sign_the_first_passes_a_file_on(
    quorate: Quorate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is proposed before; the second signs the file, which is a proposal like any other."""
    async with standing(quorate, tmp_path, monkeypatch, 2) as scene:
        scene.prepare(scene.record)
        ran = await scene()
        assert ran.code != 0
        assert "1 more have to sign" in ran.out
        path = tmp_path / "replace.json"
        ran = await scene("--out", path)
        assert (ran.code, ran.document["proposed"]) == (0, False)
        assert scene.offered() == []
        signed = quorate("committee", "sign", path, "--key", tmp_path / "ben.key")
        assert signed.code == 0, signed.err
        assert quorate("committee", "propose", path).code == 0
        assert scene.offered() == [drafts.parse(path.read_bytes()).record] == [scene.record]


async def test_what_was_slipped_in_is_refused(scene: Scene) -> None:
    """By who may write the status: an attacker's key in the spare's name, an honest member's seat,
    other thresholds, a spare that is not there, a record of the past, none at all."""
    record = scene.record
    theirs = LocalSigner(ed25519.Ed25519PrivateKey.generate()).public_key.pem

    def seats(of: str, **changes: Any) -> EpochRecord:
        changed = tuple(
            msgspec.structs.replace(seat, **changes) if seat.name == of else seat
            for seat in record.seats
        )
        return msgspec.structs.replace(record, seats=changed)

    lax = msgspec.structs.replace(record.thresholds, r=0)
    for wrong, said in (
        (seats("15", key=theirs), "itself holds"),
        (seats("15", name="16"), "did not answer"),
        (seats("10", key=theirs), "changes more"),
        (seats("10", name="99"), "does not replace one member"),
        (msgspec.structs.replace(record, thresholds=lax), "changes more"),
        (msgspec.structs.replace(record, previous=digest("0")), "the newest epoch is"),
    ):
        scene.prepare(wrong)
        ran = await scene()
        assert ran.code != 0, said
        assert said in ran.out, said
        assert scene.offered() == []
    waits = {"type": "AwaitsAcknowledgement", "message": "nobody has to be replaced"}
    scene.prepare(None, conditions=[waits])
    ran = await scene()
    assert (ran.code, "nobody has to be replaced" in ran.out) == (3, True)


async def test_who_is_no_administrator_signs_nothing(scene: Scene) -> None:
    """Whatever the key is good for elsewhere."""
    scene.prepare(scene.record)
    ran = await scene(key="eve")
    assert ran.code != 0
    assert "is no administrator's" in ran.out
    assert scene.offered() == []


async def test_the_spare_is_where_a_port_is_forwarded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --member-url kubectl forwards its port as those of members, and only its key counts;
    with places of members only, its place is asked for."""
    scene.prepare(scene.record)
    port = scene.servers.members["10"].port
    asked: list[str] = []

    @contextlib.contextmanager
    def forwarded(names: Any, flags: Any) -> Any:
        asked.extend(names)
        yield {name: f"https://127.0.0.{name}:{port}" for name in names}

    monkeypatch.setattr(forwarding, "forwarded", forwarded)
    at = ("--genesis", scene.folder / "genesis.json")
    command = ("committee", "acknowledge", "--key", scene.folder / "ann.key", *at)
    ran = await asyncio.to_thread(scene.quorate, *command, "--output", "json")
    assert (ran.code, ran.document["proposed"]) == (0, True)
    assert asked == ["10", "11", "12", "13", "14", "15"]
    url = ("--member-url", f"10=https://127.0.0.10:{port}")
    ran = await asyncio.to_thread(scene.quorate, *command, *url)
    assert ran.code != 0
    assert "where 15 is" in ran.err
