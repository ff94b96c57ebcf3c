"""committee status, apply, freeze: what members say is believed as far as they prove it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from quorate.consensus import draft as drafts
from quorate.consensus import freeze, successors
from quorate.consensus.epoch import RECORD_TAG, Admins, Change
from quorate.consensus.epoch import encode as encode_record
from quorate.consensus.freeze import ORDER_TAG, Order, Scope, SignedOrder
from quorate.consensus.succession import Endorsement
from quorate.genesis import encode
from quorate.keys import load_signer
from quorate_cli.committee import survey as surveys
from quorate_consensus.epochs import Epochs
from quorate_io import member_api
from quorate_io.member_api import EpochDeclined, EpochTaken, Failure, FreezeHeard, ProposeAnswer
from tests.fakes.ballots import SIGNATURES, Party, digest
from tests.fakes.committee_servers import Servers, refusing
from tests.fakes.member_server import GENESIS, FakeMember
from tests.unit.cli.conftest import Quorate, Ran

NOW = datetime.now(UTC).replace(microsecond=0)


class Scene:
    """Five members that answer as they are told, and the command line that asks them."""

    def __init__(self, quorate: Quorate, folder: Path, servers: Servers) -> None:
        self.quorate, self.folder, self.servers = quorate, folder, servers
        self.template = ""

    @property
    def genesis(self) -> tuple[object, ...]:
        """The flags that pin it."""
        return ("--genesis", self.folder / "genesis.json")

    async def __call__(self, *words: object, output: str = "json") -> Ran:
        """Run a command against the members; it has a loop of its own."""
        at = (*self.genesis, "--member-url", self.template, "--output", output)
        return await asyncio.to_thread(self.quorate, *words, *at)


async def answered(name: str, request: web.Request) -> web.Response:
    """What an honest member says of a freeze, and that it holds none."""
    if request.method == "GET":
        return web.Response(
            body=member_api.encode(member_api.FreezesAnswer(cursor="1.0", more=False, orders=()))
        )
    signed = freeze.parse(await request.read())
    heard = FreezeHeard(order_id=signed.order.order_id, kept=True)
    return web.Response(body=member_api.encode(heard))


@pytest.fixture
async def scene(quorate: Quorate, tmp_path: Path) -> AsyncIterator[Scene]:
    """All of them serve; ``ann`` may administer."""
    servers = Servers(answered)
    committee = servers.cluster.committee
    assert quorate("keygen", "--out", tmp_path / "ann").code == 0
    ann = load_signer((tmp_path / "ann.key").read_bytes())
    committee.admins = [ann, *committee.admins[1:]]
    keys = tuple(one.public_key.pem for one in committee.admins)
    record = msgspec.structs.replace(committee.epoch.record, admins=Admins(keys, 2))
    committee.open(record)
    servers.cluster.history = type(servers.cluster.history)((committee.epoch,))
    servers.epochs = Epochs(committee.epoch)
    servers.members = {name: servers.member(name) for name in servers.names}
    (tmp_path / "genesis.json").write_bytes(encode(committee.epoch))
    one = Scene(quorate, tmp_path, servers)
    async with servers.serving("14") as template:
        one.template = template
        yield one


async def test_who_is_behind_down_or_found_lying_is_told_apart(scene: Scene) -> None:
    """Each by its word; what the thresholds leave; and the newest is what anybody proves."""
    cluster = scene.servers.cluster
    behind = scene.servers.members["11"]
    behind.epochs = None
    record = cluster.committee.next_record(
        Change.QUARANTINE, seats=cluster.committee.seats(**{"13": {"quarantined": True}}),
        evidence=digest("e"),
    )  # fmt: skip
    scene.servers.epochs.extend(cluster.committee.endorse(record, members=4))
    ran = await scene("committee", "status")
    assert ran.code == 3
    told = {one["name"]: one for one in ran.document["members"]}
    assert ran.document["epoch"]["number"] == 1
    answering = [name for name in scene.servers.names if told[name]["answers"]]
    assert answering == ["10", "11", "12"]
    assert (told["11"]["agrees"], told["11"]["epoch"]) == (False, 0)
    assert told["13"]["quarantined"]
    assert not told["14"]["epoch"]
    assert [one["spare"] for one in ran.document["tiers"]] == [0, -1]
    text = " ".join((await scene("committee", "status", output="table")).out.split())
    for words in ("epoch 0, not the newest", "under quarantine", "NOTHING IS APPROVED, 1 more must",
                  "1 may lie: 3 honest ones", "have the same judges: one opinion"):  # fmt: skip
        assert words in text


async def test_two_histories_are_an_alarm(scene: Scene) -> None:
    """Both are certified: nobody can tell which is right, and it is said as such."""
    committee, genesis = scene.servers.cluster.committee, scene.servers.epochs.genesis
    others = Epochs(genesis)
    for chain, policies in ((scene.servers.epochs, "1"), (others, "2")):
        record = committee.next_record(Change.POLICIES, policies=digest(policies))
        chain.extend(committee.endorse(record, members=4, admins=2))
    scene.servers.members["12"].epochs = others
    ran = await scene("committee", "status", output="table")
    assert ran.code == 1
    assert "TWO HISTORIES" in ran.out


async def test_whoever_is_not_the_member_is_not_believed(scene: Scene) -> None:
    """Another key than the seat's, another member at its place, another genesis."""
    members = scene.servers.members
    for name, port in (("10", members["11"].port), ("12", members["11"].port)):
        urls = ("--member-url", f"{name}=https://127.0.0.11:{port}")
        ran = await asyncio.to_thread(
            scene.quorate, "committee", "status", *scene.genesis, *urls, "--output", "json"
        )
        assert (ran.code, ran.document["members"][int(name) - 10]["answers"]) == (3, False)
        assert "is expected" in ran.document["members"][int(name) - 10]["problem"]
    other = ("--genesis-digest", digest("0"), "--ask", "10", "--member-url", scene.template)
    ran = await asyncio.to_thread(scene.quorate, "committee", "status", *other)
    assert ran.code == 3
    assert "not the pinned" in ran.err


async def test_a_forwarded_port_is_told_by_the_member_s_key(
    quorate: Quorate, tmp_path: Path
) -> None:
    """Its certificate is for another host; an authority of another key is still refused."""
    (tmp_path / "genesis.json").write_bytes(encode(GENESIS))
    seat = GENESIS.record.seats[0].name
    for leaf_key, code in ((None, 0), (Party().private, 3)):
        async with FakeMember(name=seat, leaf_key=leaf_key).serving() as url:
            forwarded = url.replace("127.0.0.1", "localhost")
            ran = await asyncio.to_thread(
                quorate, "committee", "status", "--genesis", tmp_path / "genesis.json",
                "--member-url", f"{seat}={forwarded}",
            )  # fmt: skip
            assert ran.code == code, ran.out + ran.err


FREEZE = ("freeze", "--scope", "tenant", "--name", "team-a", "--reason", "7", "--expires", "2h")


@pytest.mark.requirement("freeze: one admin, directly at the members, without the operator")
async def test_a_freeze_waits_for_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that hangs keeps the order from none of the others; who took it is said."""
    monkeypatch.setattr(surveys, "TIMEOUT", 1.5)
    scene.servers.members["10"].stall = True
    scene.servers.tell(refusing(Failure.OVERLOADED, "busy", 503), "13")
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(
        scene(*FREEZE, "--key", scene.folder / "ann.key", "--out", scene.folder / "order.json")
    )
    begin = loop.time()
    while not {"11", "12"} <= set(scene.servers.asked):
        assert loop.time() - begin < 1.4
        await asyncio.sleep(0.02)
    assert not running.done()
    ran = await running
    assert (ran.code, ran.document["taken"]) == (0, ["11", "12"])
    assert set(ran.document["problems"]) == {"10", "13", "14"}
    signed = freeze.parse((scene.folder / "order.json").read_bytes())
    freeze.verify(signed, scene.servers.cluster.committee.epoch, SIGNATURES)
    assert signed.order.expires_at - signed.order.issued_at == timedelta(hours=2)
    scene.servers.members["10"].stall = False
    again = await scene("freeze", "--send", scene.folder / "order.json")
    assert again.document["id"] == ran.document["id"]


async def test_a_freeze_that_is_not_sure_is_no_success(scene: Scene) -> None:
    """One taker may be the liar; a lie about what was taken is no taking; a refusal by all is told
    apart from silence."""
    scene.servers.tell(refusing(Failure.FORBIDDEN, "no"), "10", "11", "12", "13")
    ran = await scene(*FREEZE, "--key", scene.folder / "ann.key")
    assert ran.code == 1

    async def lies(name: str, request: web.Request) -> web.Response:
        return web.Response(body=member_api.encode(FreezeHeard(order_id=digest("9"), kept=True)))

    scene.servers.tell(answered, "10")
    scene.servers.tell(lies, "11")
    ran = await scene(*FREEZE, "--key", scene.folder / "ann.key")
    assert (ran.code, ran.document["taken"]) == (3, ["10"])
    assert "took another order" in ran.document["problems"]["11"]


@pytest.mark.parametrize(
    "words",
    [
        ["--scope", "tenant", "--name", "Team A"],
        ["--scope", "workload", "--name", "chat"],
        ["--scope", "modelVersion", "--name", "demo-1"],
        ["--scope", "cluster", "--name", "all"],
        ["--scope", "capability"],
        ["--scope", "capability", "--name", "shell", "--reason", "two\nlines"],
        ["--scope", "capability", "--name", "shell", "--expires", "31d"],
        ["--scope", "capability", "--name", "shell", "--expires", "soon"],
        ["--scope", "capability", "--name", "shell", "--key", "none"],
        ["--send", "order.json", "--scope", "cluster"],
    ],
)
def test_a_freeze_that_would_hold_nothing_is_not_signed(quorate: Quorate, words: list[str]) -> None:
    """Names that no enforcement point goes by; times no freeze may have; nobody is asked."""
    usual = {"--reason": "7", "--expires": "2h", "--key": "k", "--member-url": "https://{member}:1"}
    given = dict(zip(words[::2], words[1::2], strict=True))
    if "--send" in given:
        usual = {"--member-url": "https://{member}:1"}
    line = [word for pair in (usual | given).items() for word in pair]
    assert quorate("freeze", *line, "--genesis-digest", digest("0"), "--ask", "m").code == 2


async def test_only_freezes_that_verify_are_listed(scene: Scene) -> None:
    """Not what nobody may have signed, what ended, or what was released."""
    committee = scene.servers.cluster.committee

    def order(name: str, by: int | None = 0, begin: int = 0) -> SignedOrder:
        start = NOW + timedelta(hours=begin)
        one = Order(
            committee.epoch.cluster_id, Scope.TENANT, name, "r", start, start + timedelta(hours=1)
        )
        signer = Party().identity if by is None else committee.admins[by]
        signature = signer.sign(ORDER_TAG + freeze.encode(one))
        return SignedOrder(one, (Endorsement(signer.public_key.pem, signature),))

    released = order("released")
    record = successors.release(committee.epoch, "r", [released.order.order_id])
    scene.servers.epochs.extend(committee.endorse(record, members=4, admins=2))

    async def tells(name: str, request: web.Request) -> web.Response:
        found = (order("team-a"), order("forged", None), order("over", begin=-2), released)
        more = "after" not in request.query
        orders = found if more else (order("team-b"),)
        answer = member_api.FreezesAnswer(cursor="1.4", more=more, orders=orders)
        return web.Response(body=member_api.encode(answer))

    scene.servers.tell(tells, "10", "11")
    ran = await scene("freeze", "list")
    assert ran.code == 3
    listed = {one["name"]: one["members"] for one in ran.document["freezes"]}
    assert listed == {"team-a": ["10", "11"], "team-b": ["10", "11"]}


def proposal(scene: Scene, signed: int = 2) -> Path:
    """A change of policies, signed by so many."""
    committee = scene.servers.cluster.committee
    record = successors.policies(committee.epoch, "r", digest("1"))
    draft = drafts.begin(committee.epoch, record)
    for admin in committee.admins[:signed]:
        draft = drafts.sign(draft, admin, SIGNATURES)
    path = scene.folder / "proposal.json"
    path.write_bytes(drafts.encode(draft))
    return path


def endorsing(scene: Scene, **other: Any) -> Any:
    """Members that sign what is proposed, and take what is certified; ``other`` say otherwise."""
    committee = scene.servers.cluster.committee

    async def answer(name: str, request: web.Request) -> web.Response:
        asked = member_api.read_epochs_request(await request.read(), member_api.PROPOSAL_BYTES)
        if asked.certified is not None:
            number = asked.certified.record.number
            return web.Response(body=member_api.encode(EpochTaken(number=number)))
        assert asked.propose is not None
        data = RECORD_TAG + encode_record(asked.propose.record)
        signature = committee.parties[name].identity.sign(data)
        said = ProposeAnswer(endorsement=Endorsement(name, signature))
        return web.Response(body=member_api.encode(other.get(f"m{name}", said)))

    return answer


async def test_what_enough_signed_is_certified(scene: Scene) -> None:
    """Four of five; and everybody that answers is shown it."""
    scene.servers.answering = endorsing(scene)
    ran = await scene("committee", "apply", proposal(scene))
    assert ran.code == 0, ran.out
    assert ran.document["signed"] == ran.document["opened"] == ["10", "11", "12", "13"]
    assert set(ran.document["problems"]) == {"14"}


async def test_false_signatures_are_not_counted(scene: Scene) -> None:
    """Forged, in another's name, or none: it is not certified, and each is told with its reason."""
    declined = EpochDeclined(reason="AnotherChosen", message="another record was chosen", fix="f")
    scene.servers.answering = endorsing(
        scene,
        m10=ProposeAnswer(endorsement=Endorsement("10", bytes(64))),
        m11=ProposeAnswer(endorsement=Endorsement("12", bytes(64))),
        m12=ProposeAnswer(declined=declined),
    )
    ran = await scene("committee", "apply", proposal(scene))
    assert (ran.code, ran.document["certified"], ran.document["signed"]) == (1, False, ["13"])
    for name, words in (("10", "not verify"), ("11", "no say"), ("12", "AnotherChosen")):
        assert words in ran.document["declined"][name]


async def test_what_cannot_be_applied_asks_nobody_to_sign(scene: Scene) -> None:
    """Too few people's signatures, or another head: a member's choice is used up by neither."""
    assert (await scene("committee", "apply", proposal(scene, signed=1))).code == 1
    path = proposal(scene)
    committee = scene.servers.cluster.committee
    record = committee.next_record(Change.POLICIES, policies=digest("2"))
    scene.servers.epochs.extend(committee.endorse(record, members=4, admins=2))
    ran = await scene("committee", "apply", path)
    assert ran.code == 1
    assert "newest epoch is 1" in ran.document["error"]["message"]
    assert scene.servers.asked == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--member-url", "http://x"],
        ["--member-url", "https://x:1"],
        ["--member-url", "m=https://x:1", "--member-url", "m=https://y:1"],
        ["--member-url", "https://{member}:1", "--member-url", "https://{member}:2"],
        ["--member-url", "=https://x:1"],
        ["--member-url", "m=https://x:1/path"],
        ["--member-url", "https://{member}:1"],
    ],
)
def test_where_members_are_is_read_strictly(quorate: Quorate, words: list[str]) -> None:
    """Usage errors, before anybody is asked."""
    ran = quorate(
        "committee", "status", *words, "--genesis-digest", digest("0"), "--output", "json"
    )
    assert ran.code == 2
    assert json.loads(ran.out)["error"]["field"]
