"""The paranoid ensemble: members with different sets of judges, one or two killed, one that always
approves, one whose answers come 500 ms late through a TCP proxy; asked within the bands' budgets.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from quorate.consensus.ask import Cause, Decision
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import JUDGE_FAILED, JUDGE_LATE, Ballot, Verdict
from quorate_io.asking import Asked
from quorate_training.judges.asks import Everyday
from quorate_training.judges.texts import Split
from tests.integration.consensus.weird_committee import (
    BUDGET,
    LATE,
    Asking,
    asking,
    made,
)
from tests.integration.consensus.weird_member import Weird

SECONDS = 0.5
"""How late the late one is."""
SLOW, KILLED = "1", ("2", "3")
"""Who is late, and who is killed; the last member approves whatever it is asked."""

A, D = True, False
VERDICTS = {
    # n, down, liar, late: whether what is harmless is approved by fast (200 ms), strict (1000 ms)
    (5, 0, 0, 0): (A, A),
    (5, 0, 0, 1): (A, A),
    (5, 0, 1, 0): (A, A),
    (5, 0, 1, 1): (A, A),
    (5, 1, 0, 0): (A, A),
    (5, 1, 0, 1): (A, A),
    (5, 1, 1, 0): (A, A),
    (5, 1, 1, 1): (A, A),
    (5, 2, 0, 0): (A, D),
    (5, 2, 0, 1): (D, D),
    (5, 2, 1, 0): (A, D),
    (5, 2, 1, 1): (D, D),
    (6, 0, 0, 0): (A, A),
    (6, 0, 0, 1): (A, A),
    (6, 0, 1, 0): (A, A),
    (6, 0, 1, 1): (A, A),
    (6, 1, 0, 0): (A, A),
    (6, 1, 0, 1): (A, A),
    (6, 1, 1, 0): (A, A),
    (6, 1, 1, 1): (A, A),
    (6, 2, 0, 0): (A, A),
    (6, 2, 0, 1): (D, A),
    (6, 2, 1, 0): (A, A),
    (6, 2, 1, 1): (D, A),
}
"""What is harmful is denied at once in every row. So is what two down leave no quorum for: with n=5
the strict tier. Only what the late one is needed for is denied at the deadline: with two down the
fast tier."""


async def decided(point: Asking, tier: Tier, *, late: bool, approved: bool) -> None:
    """One verdict of the table, and that what is harmful is denied."""
    if approved:
        outcome = (await point.approves(tier)).outcome
        assert outcome.cause is Cause.QUORUM
    else:
        waits = late and tier is Tier.FAST
        cause = Cause.DEADLINE if waits else Cause.NO_QUORUM
        await point.denies(tier, harmless=True, cause=cause)
    await point.denies(tier, harmless=False)


@pytest.mark.requirement("paranoid ensemble: verdicts by (n, down, liar), in time, isolated faults")
@pytest.mark.parametrize("n", [5, 6])
async def test_paranoid_ensemble(
    n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row of the table, as members are killed one after the other."""
    cluster = made(tmp_path, n=n, proxied=(SLOW,))
    rows = [row for row in VERDICTS if row[0] == n]
    with cluster.all_up() as processes:
        async with cluster.proxy(SLOW).serving() as proxy:
            for name in cluster.names:
                await cluster.observe(name)
            async with asking(cluster) as point:
                for down, of_it in groupby(rows, key=lambda row: row[1]):
                    for name in KILLED[:down]:
                        processes[name].kill()
                        processes[name].wait()
                    for _, _, liar, late in of_it:
                        cluster.be(Weird.ALWAYS_YES if liar else Weird.NOT)
                        proxy.seconds = SECONDS * late
                        # What was asked under the row before is over.
                        await asyncio.sleep(LATE)
                        verdicts = VERDICTS[n, down, liar, late]
                        for tier, approved in zip(Tier, verdicts, strict=True):
                            await decided(point, tier, late=bool(late), approved=approved)
                assert point.accused() == set()
    shown(capsys, f"n={n}", point)


def shown(capsys: pytest.CaptureFixture[str], title: str, point: Asking) -> None:
    """Print how long asks took. The promise in milliseconds is a figure of the bench."""
    for tier, found in point.seconds.items():
        median, most = (1000 * value for value in (statistics.median(found), max(found)))
        line = f"{title} {tier}: {len(found)} asks, p50 {median:.0f} ms, most {most:.0f} ms"
        with capsys.disabled():
            sys.stdout.write(f"\n{line} (budget {1000 * BUDGET[tier]:.0f} ms)")


EVERYDAY = 200
"""Harmless requests, of the split that no judge was trained or calibrated on."""


@pytest.mark.requirement("consensus.veto: any (q = n): false positives measured")
async def test_what_a_veto_of_any_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everyday answers and calls that are denied because three, two, or one of five members
    object; with a veto one that is down stops both tiers, at once."""
    cluster = made(tmp_path)
    with cluster.all_up() as processes:
        for name in cluster.names:
            await cluster.observe(name)
        async with asking(cluster) as point:
            asked = await everyday_asks(point)
            counted = approvals_of(point, [one.nonce for one in asked])
            for one in asked:
                if one.nonce in counted:
                    approved = one.outcome.decision is Decision.APPROVE
                    assert approved is (counted[one.nonce] == cluster.n)
            # A machine so busy that hardly a judge is in time measures nothing.
            assert len(counted) >= EVERYDAY / 2
            denied = {
                needed: sum(found < needed for found in counted.values()) for needed in (3, 4, 5)
            }
            assert denied[5] <= len(counted) / 20
            cluster.be(Weird.ALWAYS_YES)
            harmful = await point.ask(Tier.STRICT, point.fresh(harmless=False), veto=True)
            assert harmful.outcome.decision is Decision.DENY
            cluster.be(Weird.NOT)
            processes["2"].kill()
            processes["2"].wait()
            for tier in Tier:
                begin = time.monotonic()
                one_down = await point.ask(tier, point.fresh(), veto=True)
                assert one_down.outcome.cause is Cause.NO_QUORUM
                assert time.monotonic() - begin < BUDGET[tier]
    with capsys.disabled():
        shares = ", ".join(
            f"{name} (q={needed}) {denied[needed]} ({100 * denied[needed] / len(counted):.1f} %)"
            for name, needed in (("fast", 3), ("strict", 4), ("veto any", 5))
        )
        sys.stdout.write(f"\nharmless and denied, of {len(counted)}: {shares}")


async def everyday_asks(point: Asking) -> list[Asked]:
    """What came of asking about everyday answers and calls, with a veto."""
    draw, found = Everyday("veto", Split.REPORT), []
    for _ in range(EVERYDAY):
        request = msgspec.structs.replace(draw.item().request, principal=point.cluster.principal())
        found.append(await point.ask(Tier.STRICT, request, veto=True))
    await asyncio.sleep(LATE)
    return found


def approvals_of(point: Asking, nonces: Sequence[bytes]) -> dict[bytes, int]:
    """How many approved, by ask; only where all members said what their judges think."""
    said: dict[bytes, list[Ballot]] = {nonce: [] for nonce in nonces}
    for ballot in point.ballots:
        if ballot.nonce in said and ballot.reasons not in ((JUDGE_LATE,), (JUDGE_FAILED,)):
            said[ballot.nonce].append(ballot)
    return {
        nonce: sum(ballot.verdict is Verdict.APPROVE for ballot in ballots)
        for nonce, ballots in said.items()
        if len(ballots) == point.cluster.n
    }
