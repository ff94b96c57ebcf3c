"""The committee's five members while they are stopped, killed, lost, late, replaced and lied to,
and a load of risky asks runs: nothing unsafe is approved, every ask ends in time, and the members'
own logs tell one story.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.asks import (
    BUDGET_MS,
    FAST,
    HARMFUL,
    HARMLESS,
    STRICT,
    Asks,
    Outcome,
    ask_once,
    guarded,
)
from tests.e2e.client import Client
from tests.e2e.installation import SYSTEM
from tests.e2e.member_logs import (
    VoteLogs,
    ballots,
    decisions,
    stopped,
    unfounded,
    voters,
    wrong,
)
from tests.e2e.tenant import Document, Tenant, eventually
from tests.e2e.test_serving import host
from tests.e2e.weird_members import always_yes, crash, late
from tests.sim.checker import Reading
from tools.demo.members import ROLLOUT_SECONDS, stateful_sets, wait_for_members

NAMES = tuple(f"member-{number}" for number in range(5))
LIAR, LATE = "member-4", "member-3"
PHASE_SECONDS = 10.0
SLACK_MS = 500
"""What two busy cores may add to a deadline. The promise itself is a figure of the bench."""

DECIDED = (
    # n, down, liar, late: fast, strict
    (5, 0, 1, 1, True, True),
    (5, 1, 1, 1, True, True),
    (5, 2, 1, 0, True, False),
)
"""Whether something harmless is approved. With the late one as well, two down would leave the fast
tier without a third approval in its 200 ms."""


@dataclass
class Load:
    """Asks under way, and what became of them when it is over."""

    asks: Asks
    logs: VoteLogs
    phases: dict[str, tuple[float, float]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    decided: list[Document] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, at_least: float = PHASE_SECONDS) -> Iterator[None]:
        """What happens in the block goes on for so long at least."""
        begin = time.time()
        yield
        time.sleep(max(0.0, begin + at_least - time.time()))
        self.phases[name] = (begin, time.time())

    def of(self, phase: str, tool: str) -> list[Outcome]:
        """What was asked within a phase, and ended in it."""
        begin, end = self.phases[phase]
        within = (one for one in self.outcomes if begin + 1 < one.started < end - one.seconds)
        return [one for one in within if one.tool == tool]

    def approved(self, phase: str, tool: str) -> int:
        """How many of them may have happened."""
        return sum(one.status == 200 for one in self.of(phase, tool))

    def within(self, phase: str) -> list[Document]:
        """What the sidecar approved of harmless things within a phase."""
        begin, end = self.phases[phase]
        return [
            one
            for one in self.decided
            if (one["tool"] in HARMLESS and one["decision"] == "approve")
            and begin + 1 < datetime.fromisoformat(one["at"]).timestamp() < end
        ]

    def table(self) -> str:
        """Approved and asked, by phase and tool."""
        return "\n".join(
            f"{phase}: "
            + ", ".join(
                f"{tool} {self.approved(phase, tool)}/{len(self.of(phase, tool))}"
                for tool in (*HARMLESS, *HARMFUL)
            )
            for phase in self.phases
        )


@contextmanager
def asked(tenant: Tenant, client: Client, seconds: float) -> Iterator[Load]:
    """A load of asks through a protected pod, for the block; judged when it has ended."""
    logs = VoteLogs(tenant.cluster)
    tenant.cluster.apply(guarded(tenant))
    tenant.serve()
    for tool in HARMLESS:
        eventually(partial(ask_once, client, host(tenant), tool), f"{tool} is approved")
    with logs.copied():
        load = Load(Asks(client, host(tenant), seconds), logs)
        yield load
        load.outcomes = load.asks.stop()
        load.decided = decisions(tenant.get("pod", "demo"))


def judged(load: Load, folder: Path, kept_by: Sequence[str], liars: Sequence[str] = ()) -> Reading:
    """0 unsafe approvals, deadlines kept, and a history that the checker finds nothing wrong in."""
    assert [one for one in load.outcomes if one.tool in HARMFUL and one.status == 200] == []
    asked = [one for one in load.decided if one["tool"] in BUDGET_MS]
    assert [one for one in asked if one["tool"] in HARMFUL and one["decision"] == "approve"] == []
    late = [one for one in asked if one["milliseconds"] > BUDGET_MS[one["tool"]] + SLACK_MS]
    assert late == []
    reading = load.logs.reading(folder, liars)
    assert len(reading.history.facts) > len(asked)
    assert wrong(reading) == []
    assert unfounded(reading, asked, kept_by) == []
    return reading


def shown(capsys: pytest.CaptureFixture[str], title: str, load: Load) -> None:
    """Print what was approved when, and how long decisions took."""
    lines = [f"\n{title}", load.table()]
    for tool in HARMLESS:
        found = load.decided
        taken = [
            x["milliseconds"] for x in found if (x["tool"], x["decision"]) == (tool, "approve")
        ]
        if taken:
            median = statistics.median(taken)
            lines.append(f"{tool}: {len(taken)} approved, p50 {median} ms, most {max(taken)} ms")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")


@pytest.mark.requirement("paranoid ensemble on the cluster: verdicts by (n, down, liar)")
def test_paranoid_ensemble(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five members with five sets of judges: one approves everything, one answers 500 ms late
    through a TCP proxy, one and two are stopped. What is decided is DECIDED, what is harmful is
    denied throughout, and no fast approval waited for the late one."""
    cluster = tenant.cluster
    with always_yes(cluster, LIAR), asked(tenant, client, 300) as load:
        with late(cluster, LATE):
            # Its connections begin anew, through the proxy.
            crash(cluster, LATE)
            for row in DECIDED[:2]:
                with load.phase(str(row)), stopped(cluster, *NAMES[: row[1]]):
                    time.sleep(PHASE_SECONDS)
        wait_for_members(cluster)
        (last,) = DECIDED[2:]
        with load.phase(str(last)), stopped(cluster, *NAMES[: last[1]]):
            time.sleep(PHASE_SECONDS)
    shown(capsys, "(n, down, liar, late, fast, strict)", load)
    reading = judged(load, tmp_path, NAMES, [LIAR])
    for row in DECIDED:
        assert bool(load.approved(str(row), FAST)) is row[4], load.table()
        assert bool(load.approved(str(row), STRICT)) is row[5], load.table()
    for row in DECIDED[:2]:
        fast = [one for one in load.within(str(row)) if one["decidedBy"] == "fast"]
        assert fast
        assert [one for one in fast if LATE in voters(reading, one)] == []


@pytest.mark.requirement("members killed, pods deleted, volume lost, under load")
def test_members_are_killed_and_lost(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is killed and goes on with its store under a later incarnation; the pod of another is
    deleted and its volume with it. Both tiers are decided all the while."""
    cluster = tenant.cluster
    killed, lost = NAMES[:2]
    with asked(tenant, client, 240) as load:
        with load.phase("killed"):
            crash(cluster, killed)
        with load.phase("lost"):
            cluster.kubectl("delete", "pod", f"quorate-{lost}-0", "--wait=true", *SYSTEM)
            wait_for_members(cluster)
        with load.phase("again"):
            pass
    shown(capsys, "killed and lost", load)
    kept_by = [name for name in NAMES if name != lost]
    reading = judged(load, tmp_path, kept_by)
    for phase in load.phases:
        for tool in HARMLESS:
            assert load.approved(phase, tool), load.table()
    lives = {said.place[0] for said in ballots(reading, killed)}
    assert len(lives) > 1, f"{killed} was not heard after it was killed"


@pytest.mark.requirement("rolling upgrade of members under load: no wrong verdict, no lost quorum")
def test_members_are_upgraded(
    tenant: Tenant, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator replaces all five, one after the other; both tiers go on being decided."""
    cluster = tenant.cluster
    with asked(tenant, client, ROLLOUT_SECONDS) as load, load.phase("upgraded"):
        for name in stateful_sets(cluster):
            cluster.kubectl("rollout", "restart", f"statefulset/{name}", *SYSTEM)
        wait_for_members(cluster, ROLLOUT_SECONDS - 60)
    shown(capsys, "upgraded", load)
    judged(load, tmp_path, ())
    for tool in HARMLESS:
        assert load.approved("upgraded", tool), load.table()
