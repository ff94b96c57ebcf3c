"""One member of five that is weird, each way by name: what an enforcement point decides all the
same, in time, and that nobody honest is accused.

Five real processes over TLS; the weird one runs the member's program with one thing bent.
"""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Iterator

import pytest

from quorate.consensus.ask import Abstained, Cause, Decision
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from tests.integration.consensus.weird_committee import (
    LATE,
    Asking,
    WeirdCommittee,
    asking,
    made,
)
from tests.integration.consensus.weird_member import Weird

SECONDS = 0.5
"""How late a slow member is: later than the fast tier waits at all."""


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[WeirdCommittee, dict[str, "subprocess.Popen[bytes]"]]]:
    """Five members; the fifth is behind a proxy."""
    cluster = made(tmp_path_factory.mktemp("weird"), proxied=("5",))
    with cluster.all_up() as processes:

        async def tell() -> None:
            async with cluster.proxy("5").serving():
                for name in cluster.names:
                    await cluster.observe(name)

        asyncio.run(tell())
        yield cluster, processes


@pytest.fixture
def five(running: tuple[WeirdCommittee, object]) -> Iterator[WeirdCommittee]:
    """The committee, whose fifth member is honest before and after."""
    yield running[0]
    running[0].be(Weird.NOT)


def verdicts(point: Asking, name: str) -> set[Verdict]:
    """What a member said."""
    return {ballot.verdict for ballot in point.ballots if ballot.member == name}


@pytest.mark.requirement("weird-node tests by name: lies")
async def test_node_that_lies(five: WeirdCommittee) -> None:
    """It says the opposite, in its own name twice at one place, in another's, about other asks and
    epochs: it decides nothing, what is not its own vote is refused, and its own two convict it."""
    async with five.proxy("5").serving(), asking(five) as point:
        five.be(Weird.LIES)
        for _ in range(2):
            await point.decides()
        await asyncio.sleep(LATE)
        assert point.accused() == {"5"}
        refused = {str(one.error) for one in point.refused if one.member == "5"}
        assert any("shows another's delegation" in said for said in refused), refused
        assert any("is of another epoch" in said for said in refused), refused
        genuine = [one for one in point.refused if not isinstance(one.error, Abstained)]
        assert {one.member for one in genuine} == {"5"}


@pytest.mark.requirement("weird-node tests by name: slow")
async def test_node_that_is_slow(five: WeirdCommittee) -> None:
    """Half a second late, or stopped: nobody waits for it where others are enough; what it says too
    late is heard and convicts nobody."""
    async with five.proxy("5").serving() as proxy, asking(five) as point:
        proxy.seconds = SECONDS
        await point.decides()
        fast = await point.approves(Tier.FAST)
        assert len(fast.outcome.votes) <= 4
        await asyncio.sleep(LATE)
        for harmless in (True, False):
            await point.ask(Tier.STRICT, point.fresh(harmless=harmless))
            await asyncio.sleep(LATE)
        assert verdicts(point, "5") == {Verdict.APPROVE, Verdict.DENY}
        assert point.accused() == set()


async def test_node_that_is_stopped(
    running: tuple[WeirdCommittee, dict[str, "subprocess.Popen[bytes]"]], five: WeirdCommittee
) -> None:
    """One that takes connections and never answers is as one that is down; with two strict is
    denied, at its deadline and no later, and fast is decided."""
    _, processes = running
    async with five.proxy("5").serving(), asking(five) as point:
        with stopped(processes["5"]):
            await point.decides()
            with stopped(processes["4"]):
                await point.approves(Tier.FAST)
                await point.denies(Tier.STRICT, harmless=True, cause=Cause.DEADLINE)
                await point.denies(Tier.FAST, harmless=False)
        await asyncio.sleep(LATE)
        await point.decides()
        assert point.accused() == set()


@contextlib.contextmanager
def stopped(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """It stands still for a while."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.requirement("weird-node tests by name: flip-flop")
async def test_node_that_flip_flops(five: WeirdCommittee) -> None:
    """It denies what it approved and approves what it denied; the others' word is the outcome each
    time, and its own two ballots convict it."""
    async with five.proxy("5").serving(), asking(five) as point:
        five.be(Weird.FLIP_FLOP)
        good, bad = point.fresh(), point.fresh(harmless=False)
        for _ in range(4):
            await point.ask(Tier.STRICT, good)
            denied = await point.ask(Tier.STRICT, bad)
            assert denied.outcome.decision is Decision.DENY
            # Its answer may not have been needed; it is heard all the same.
            await asyncio.sleep(0.1)
        await point.decides()
        await asyncio.sleep(LATE)
        assert verdicts(point, "5") == {Verdict.APPROVE, Verdict.DENY}
        assert point.accused() == {"5"}


@pytest.mark.requirement("weird-node tests by name: partitioned")
@pytest.mark.parametrize("way", ["both", "deaf", "mute"])
async def test_node_that_is_partitioned(five: WeirdCommittee, way: str) -> None:
    """Cut off both ways, or one way only; the others decide. When the cut has healed it is a member
    again, and there is nothing to merge: it says what it said."""
    async with five.proxy("5").serving() as proxy, asking(five) as point:
        # As the first may be judged too late.
        before = (await point.approves(Tier.STRICT)).outcome
        proxy.hears, proxy.heard = way == "mute", way == "deaf"
        await point.decides()
        during = len([one for one in point.ballots if one.member == "5"])
        await point.decides()
        assert len([one for one in point.ballots if one.member == "5"]) == during
        proxy.hears = proxy.heard = True
        proxy.drop()
        await asyncio.sleep(LATE)
        heard = len(point.ballots)
        for _ in range(3):
            await point.decides()
        await asyncio.sleep(LATE)
        assert before.decision is Decision.APPROVE
        assert "5" in {ballot.member for ballot in point.ballots[heard:]}
        assert point.accused() == set()


@pytest.mark.requirement("weird-node tests by name: time-skewed")
@pytest.mark.parametrize(
    ("seconds", "votes"), [(-7200, True), (-20, True), (20, True), (7200, False)]
)
async def test_node_that_has_a_skewed_clock(
    five: WeirdCommittee, seconds: int, votes: bool
) -> None:
    """Its clock jumps: ahead of a pod's token it refuses the pod and counts as down, else it votes
    as before. No verdict rests on an hour, and nobody is convicted by one."""
    async with five.proxy("5").serving(), asking(five) as point:
        await asyncio.sleep(LATE)
        point.ballots.clear()
        five.be(Weird.CLOCK, str(seconds))
        await point.decides()
        await asyncio.sleep(LATE)
        assert point.accused() == set()
        assert bool(verdicts(point, "5")) is votes


@pytest.mark.requirement("weird-node tests by name: always-yes")
async def test_node_that_always_says_yes(five: WeirdCommittee) -> None:
    """It approves what everybody else denies, and that is one approval. Disagreeing convicts nobody
    by itself: that is for canaries."""
    async with five.proxy("5").serving(), asking(five) as point:
        await asyncio.sleep(LATE)
        point.ballots.clear()
        five.be(Weird.ALWAYS_YES)
        await point.decides()
        await asyncio.sleep(LATE)
        assert verdicts(point, "5") == {Verdict.APPROVE}
        assert Verdict.DENY in verdicts(point, "1")
        assert point.accused() == set()
