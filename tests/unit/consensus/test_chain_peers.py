"""Learning epochs from other members: whoever lies, lags or hangs costs time and nothing else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from quorate.consensus.epoch import Change
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import Unavailable
from quorate_consensus import chain_peers
from quorate_consensus.chain_peers import ChainPeers, Learning
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.peer_session import PeerSession
from quorate_io import member_api
from quorate_io.member_api import GenesisAnswer
from tests.fakes.ballots import Committee, digest

Answer = Callable[[int], Awaitable[bytes]]
COMMITTEE = Committee()
GENESIS = COMMITTEE.epoch


def chain(length: int, committee: Committee = COMMITTEE) -> list[CertifiedRecord]:
    """So many epochs after the genesis."""
    start, found = committee.epoch, []
    for number in range(length):
        canaries = digest("ab"[number % 2])
        record = committee.next_record(Change.CANARIES, canaries=canaries)
        found.append(committee.endorse(record, 4, 2))
        committee.open(record)
    committee.epoch = start
    return found


LONG = chain(200)


def serving(records: list[CertifiedRecord]) -> Answer:
    """A member that knows these, page by page."""

    async def answer(after: int) -> bytes:
        page = tuple(records[after : after + member_api.CHAIN_PAGE])
        return member_api.encode(GenesisAnswer(genesis={}, ca_certificates=("x",), chain=page))

    return answer


def saying(*records: CertifiedRecord) -> Answer:
    """A member that always says these."""

    async def answer(after: int) -> bytes:
        return member_api.encode(GenesisAnswer(genesis={}, ca_certificates=("x",), chain=records))

    return answer


async def hang(after: int) -> bytes:
    """A member that never answers, as far as the session waits."""
    await asyncio.sleep(0.05)
    raise TimeoutError


async def down(after: int) -> bytes:
    """A member that is away."""
    raise ConnectionRefusedError(111, "Connect call failed")


async def nonsense(after: int) -> bytes:
    """A member that says something else."""
    return b'{"chain": "long"}'


async def failing(after: int) -> bytes:
    """A member that is not ready."""
    raise Unavailable("it answered 503")


class Peers(PeerSession):
    """Members by name; counts the questions."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def get(
        self, member: str, path: str, query: tuple[tuple[str, str], ...], bytes_max: int
    ) -> bytes:
        assert (path, bytes_max) == (member_api.GENESIS_PATH, member_api.GENESIS_BYTES)
        after = int(dict(query).get(member_api.AFTER_PARAMETER, 0))
        self.asked.append((member, after))
        return await self.answers[member](after)


async def look(epochs: Epochs, **answers: Answer) -> Peers:
    """Ask all of them once."""
    peers = Peers(**answers)
    await Learning(peers, epochs, epochs.extend).look(list(answers))
    return peers


@pytest.mark.requirement("epoch chain: members learn it from each other, without the operator")
async def test_one_look_leads_to_the_end_of_the_longest_chain(tmp_path: Path) -> None:
    """Page after page, from whoever has more; and it is on disk."""
    epochs = Epochs(GENESIS, ChainFiles(tmp_path))
    await look(epochs, m1=serving(LONG[:3]), m2=serving(LONG), m3=serving([]))
    assert epochs.head.record == LONG[-1].record
    assert Epochs(GENESIS, ChainFiles(tmp_path)).head == epochs.head
    peers = await look(epochs, m1=serving(LONG[:3]), m2=serving(LONG))
    assert sorted(peers.asked) == [("m1", 200), ("m2", 200)]


@pytest.mark.requirement("epoch chain: a member that lies about it costs time alone")
async def test_whoever_lies_changes_nothing_and_stops_nobody() -> None:
    """Weak, twisted, of a stranger, out of order, nonsense, silence: the honest one is heard."""
    stranger = Committee()
    weak = msgspec.structs.replace(LONG[0], members=LONG[0].members[:3])
    twisted = msgspec.structs.replace(
        LONG[0], record=msgspec.structs.replace(LONG[0].record, reason="more")
    )
    liars: dict[str, Answer] = {
        "m1": saying(weak),
        "m2": saying(twisted),
        "m3": saying(*chain(3, stranger)),
        "m4": saying(LONG[1], LONG[0]),
        "m5": nonsense,
        "m6": hang,
        "m7": down,
        "m8": failing,
    }
    alone = Epochs(GENESIS)
    peers = await look(alone, **liars)
    assert alone.head is GENESIS
    assert len(peers.asked) == len(liars)
    epochs = Epochs(GENESIS)
    await look(epochs, **liars, m9=serving(LONG[:70]))
    assert epochs.head.record == LONG[69].record


async def test_a_liar_with_the_same_page_for_ever_is_left() -> None:
    """It is asked again only while something was learnt from it."""
    peers = await look(Epochs(GENESIS), m1=saying(*LONG[:64]))
    assert len(peers.asked) == 2


async def test_who_fails_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Until it answers again."""
    epochs, peers = Epochs(GENESIS), Peers(m1=down)
    learning = Learning(peers, epochs, epochs.extend)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await learning.look(["m1"])
        assert len(caplog.records) == 1
        peers.answers["m1"] = serving([])
        await learning.look(["m1"])
        peers.answers["m1"] = down
        await learning.look(["m1"])
    assert len(caplog.records) == 2


async def test_a_member_looks_at_once_and_when_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the epoch in force, not itself; who is told that it is behind does not wait."""
    looks: list[set[str]] = []

    async def seen(self: Learning, members: set[str]) -> None:
        looks.append(set(members))

    monkeypatch.setattr(Learning, "look", seen)
    monkeypatch.setattr(chain_peers, "PAUSE_SECONDS", 0.01)
    epochs = Epochs(GENESIS)
    peers = ChainPeers("https://{member}:1", "m0", epochs, epochs.extend)
    task = asyncio.create_task(peers.follow_for_ever())
    await asyncio.sleep(0.1)
    assert looks == [{"m1", "m2", "m3", "m4"}]
    peers.wake()
    await asyncio.sleep(0.1)
    assert len(looks) == 2
    task.cancel()


async def test_who_has_a_seat_begins_with_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one look, though nobody answers; one without a seat looks until it has one, or its time
    is over. Without others there is nothing to look at."""
    looks = []

    async def seen(self: Learning, members: set[str]) -> None:
        looks.append(members)

    monkeypatch.setattr(Learning, "look", seen)
    monkeypatch.setattr(chain_peers, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(chain_peers, "START_SECONDS", 0.2)
    epochs = Epochs(GENESIS)
    await chain_peers.begin("", epochs, lambda: False)
    assert looks == []
    await chain_peers.begin("https://{member}:1", epochs, lambda: True)
    assert len(looks) == 1
    await chain_peers.begin("https://{member}:1", epochs, lambda: len(looks) > 4)
    assert len(looks) == 5
    await chain_peers.begin("https://{member}:1", epochs, lambda: False)
    assert len(looks) > 6


async def test_who_is_kept_waiting_begins_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that takes the question and never answers holds up no start."""

    async def wait(self: Learning, members: set[str]) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(Learning, "look", wait)
    monkeypatch.setattr(chain_peers, "SEATED_SECONDS", 0.05)
    begin = chain_peers.begin("https://{member}:1", Epochs(GENESIS), lambda: True)
    await asyncio.wait_for(begin, 5)
