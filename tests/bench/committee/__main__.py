"""What a decision costs: committees with members down or late, one judge alone, and CometBFT.

``python -m tests.bench.committee`` prints a table and writes ``build/bench/committee.json``. All
are real processes on loopback in one run; members have TLS, stores on disk and their judges. The
machine is shared: CPU time and ratios tell more than latencies.
"""

import asyncio
import functools
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from quorate.consensus import approval
from quorate.consensus.keys import KeySignatures, VoteKey
from quorate.consensus.thresholds import Faults, Tier, expected
from tests.bench.closed_loop import percentile
from tests.bench.committee import cometbft, detecting
from tests.bench.committee.asking import Sidecars
from tests.bench.committee.measuring import NONE, Measured, Targets, figures, measure
from tests.bench.committee.members import DELAY_MS, BenchCommittee
from tests.bench.report import Figure, publish
from tests.bench.usage import memory_mib, per_call
from tests.integration.consensus.member_process import FIRST

COMMITTEES = {5: (Tier.FAST, Tier.STRICT), 6: (Tier.STRICT,), 7: (Tier.STRICT,)}
TARGETS = {
    Tier.FAST: Targets(p50=100, p99=200, right=99, rate=500),
    Tier.STRICT: Targets(p99=1000, right=99),
}
Members = dict[str, "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Situation:
    """How many members are down, and whether one that is up says everything late."""

    down: int = 0
    slow: bool = False

    @property
    def name(self) -> str:
        """In words."""
        return f"one +{DELAY_MS} ms" if self.slow else f"{self.down} down"


HEALTHY = Situation()
SITUATIONS = (HEALTHY, Situation(slow=True), Situation(1), Situation(2))
Peers = dict[Situation, Measured]


async def peers(folder: Path) -> Peers:
    """CometBFT in all situations in which it commits: two of five down are too many."""
    network = cometbft.Network(folder, await asyncio.to_thread(cometbft.program))
    found: Peers = {}
    for situation in SITUATIONS[:3]:
        say(f"CometBFT, {situation.name}")
        up = cometbft.VALIDATORS - situation.down
        with network.running(up, slow=situation.slow) as pids:
            async with network.session() as session:
                await network.ready(session, up)
                found[situation] = await measure(
                    lambda: network.commit(session), pids, at_once=situation == HEALTHY
                )
    return found


async def alone(folder: Path) -> Measured:
    """One member that decides by itself: the floor."""
    say("one judge")
    committee = BenchCommittee(folder)
    with ExitStack() as stack:
        process = await committee.start(stack, FIRST)
        async with Sidecars(committee) as sidecars:
            return await measure(
                lambda: sidecars.ask(Tier.STRICT, approved=True), [process.pid], at_once=True
            )


async def of_committee(folder: Path, n: int, floor: Measured, beside: Peers) -> list[Figure]:
    """A committee of ``n`` in all situations."""
    committee = BenchCommittee(folder, n=n)
    rows: list[Figure] = []
    with ExitStack() as stack:
        stacks = {name: stack.enter_context(ExitStack()) for name in committee.names}
        members = {name: await committee.start(one, name) for name, one in stacks.items()}
        async with Sidecars(committee) as sidecars:
            for situation in SITUATIONS:
                await arrange(committee, situation, members, stacks)
                for tier in COMMITTEES[n]:
                    name = f"{n}/{committee.thresholds.needed(tier)} {tier}, {situation.name}"
                    say(name)
                    faults = Faults(down=situation.down)
                    must = expected(committee.thresholds, tier, faults, harmless=True)
                    call = functools.partial(sidecars.ask, tier, approved=must)
                    pids = [one.pid for one in members.values()]
                    own = await measure(call, pids, at_once=situation == HEALTHY)
                    for member, process in members.items():
                        assert process.poll() is None, (
                            member,
                            process.returncode,
                            committee.log(member),
                        )
                    rows += figures(name, own, TARGETS[tier], floor, beside.get(situation))
            memory = max(memory_mib(one.pid) for one in members.values())
            rows.append(Figure(f"RSS of a member of {n}, the largest", memory, "MiB", "<=120"))
            rows.append(verifying(committee, sidecars))
    return rows


async def arrange(
    committee: BenchCommittee, situation: Situation, members: Members, stacks: dict[str, ExitStack]
) -> None:
    """Make it so, from the situation before."""
    last = committee.names[-1]
    if situation.slow:
        stacks[last].close()
        members[last] = await committee.start(stacks[last], last, slow=True)
    for name in committee.names[committee.n - situation.down :]:
        stacks[name].close()
        members.pop(name, None)


def verifying(committee: BenchCommittee, sidecars: Sidecars) -> Figure:
    """A certificate of this committee, by who saw its members' delegations before; beside it the
    bare signatures."""
    sample = sidecars.samples[Tier.STRICT]
    epoch, signatures = committee.genesis, KeySignatures()
    votes = len(approval.verify(sample.certificate, epoch, sample.subject, signatures).voters)

    def verify() -> None:
        approval.verify(sample.certificate, epoch, sample.subject, signatures)

    key = VoteKey()
    data = bytes(300)
    signature = key.sign(data)
    bare = per_call(500, lambda: signatures.by_vote_key(key.public, signature, data)) * votes
    name = f"verify a certificate of {votes} votes, of {committee.n} members"
    return Figure(name, per_call(500, verify) / 1000, "ms CPU", "<=0.5", bare / 1000)


def syncing(folder: Path) -> Iterator[Figure]:
    """What the disk takes to keep a vote: part of every decision."""
    waits: list[float] = []
    with (folder / "synced").open("wb") as file:
        for _ in range(200):
            file.write(bytes(600))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            waits.append(time.perf_counter() - began)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        yield Figure(f"fdatasync of 600 bytes, {name}", percentile(waits, share), "ms")


async def all_of_it() -> list[Figure]:
    """Every row."""
    begin, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as directory:
        places = [Path(directory) / name for name in ("peer", "alone", *map(str, COMMITTEES))]
        for place in places:
            place.mkdir()
        beside = await peers(places[0])
        floor = await alone(places[1])
        rows = [*syncing(places[1]), *figures("one judge", floor)]
        for situation, peer in beside.items():
            rows += figures(f"CometBFT, {situation.name}", peer, NONE, floor)
        for n, place in zip(COMMITTEES, places[2:], strict=True):
            rows += await of_committee(place, n, floor, beside)
    rows += detecting.figures()
    rows.append(Figure("load average, before", load, ""))
    rows.append(Figure("load average, after", os.getloadavg()[0], ""))
    rows.append(Figure("the whole run", time.monotonic() - begin, "s"))
    return rows


def say(what: str) -> None:
    """Tell whoever waits."""
    sys.stderr.write(f"{what}\n")


def main() -> int:
    """Print the table and write the file."""
    # A connection to a member that was ended is closed while it fails.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    publish("committee", uvloop.run(all_of_it()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
