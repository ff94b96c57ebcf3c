"""Rolling upgrades of members on an API server in memory."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.consensus.thresholds import PRESETS
from quorate_operator.committee import Committee
from quorate_operator.effects.api_server import ApiRefused, ApiUnavailable
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import NotHolding
from quorate_operator.kinds import POD, STATEFUL_SET
from quorate_operator.member_rollout import (
    FRESH_SECONDS,
    REVISION_LABEL,
    STUCK_SECONDS,
    MemberRollout,
)
from quorate_operator.metrics import Metrics
from tests.fakes import vouching
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.links import Links
from tests.unit.operator.scene import verified_scene

Document = dict[str, Any]
NS = names.NAMESPACE
FIVE = [f"member-{i}" for i in range(5)]


class Stand:
    """Five members that answer, in Pods of revision ``old`` where ``new`` is wanted."""

    def __init__(self) -> None:
        committee = vouching.Committee(n=5, thresholds=PRESETS["standard"])
        scene = verified_scene(committee)
        self.api, self.monotonic, self.holding = FakeApi(), Monotonic(), Holding()
        clock, metrics = FixedClock(scene.now), Metrics(CollectorRegistry())
        self.committee = Committee(Links(*FIVE).client, scene.world, clock, metrics, self.monotonic)
        self.events = Events(self.api, self.holding, "op-0", clock, self.monotonic, metrics)
        self.rollout = MemberRollout(
            self.api, self.holding, self.committee, scene.world, self.events, NS, self.monotonic
        )
        for name in FIVE:
            self.workload(name)
            self.pod(name)
        self.heard(*FIVE)

    def workload(self, name: str, **spec: Any) -> None:
        """A member's StatefulSet, which wants revision ``new``."""
        document = {
            "metadata": {
                "name": names.member_object(name),
                "namespace": NS,
                "uid": f"set-{name}",
                "generation": 2,
                "labels": {names.MEMBER_LABEL: name},
            },
            "spec": {"updateStrategy": {"type": "OnDelete"}} | spec,
            "status": {"observedGeneration": 2, "updateRevision": "new"},
        }
        self.api.put(STATEFUL_SET.path(NS, names.member_object(name)), document)

    def pod(
        self, name: str, revision: str = "old", uid: str = "first", *, ready: bool = True
    ) -> None:
        """A member's Pod."""
        pod = f"{names.member_object(name)}-0"
        status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        document = {
            "metadata": {
                "name": pod,
                "namespace": NS,
                "uid": f"{uid}-{name}",
                "labels": {names.MEMBER_LABEL: name, REVISION_LABEL: revision},
                "ownerReferences": [{"uid": f"set-{name}", "controller": True}],
            },
            "status": status,
        }
        self.api.put(POD.path(NS, pod), document)

    def heard(self, *members: str) -> None:
        """These members answered just now, and hold everything."""
        self.monotonic.time += 1.0
        for name in members:
            relay = self.committee.relays[name]
            relay.synced, relay._heard_at, relay._failing_since = True, self.monotonic.time, None

    def away(self, *members: str) -> None:
        """These members do not answer."""
        for name in members:
            relay = self.committee.relays[name]
            relay._failing_since, relay._heard_at = self.monotonic.time, None

    async def look(self, *heard: str) -> list[str]:
        """See how things are, hear members, and look: who has a Pod now."""
        await self.rollout._see()
        self.heard(*(heard or FIVE))
        await self.rollout.look()
        return self.left

    @property
    def left(self) -> list[str]:
        """Members that have a Pod."""
        pods = (names.member_object(name) + "-0" for name in FIVE)
        return [n for n, p in zip(FIVE, pods, strict=True) if POD.path(NS, p) in self.api.objects]

    async def said(self) -> list[tuple[str, str, str]]:
        """Type, reason and note of all Events."""
        while not self.events._posted.empty():
            await self.events.emit(self.events._posted.get_nowait())
        found = [d for p, d in self.api.objects.items() if "/events/" in p]
        return [(e["type"], e["reason"], e["note"]) for e in found]


@pytest.mark.requirement("rolling upgrade: one member at a time, only while all others answer")
async def test_members_are_replaced_one_after_the_other() -> None:
    """The next goes only when the new Pod of the one before is ready and has answered since."""
    stand = Stand()
    assert await stand.look() == FIVE[1:]
    # Its Pod is gone, and the relay may not have noticed.
    assert await stand.look() == FIVE[1:]
    stand.pod("member-0", "new", "second", ready=False)
    assert await stand.look() == FIVE
    stand.pod("member-0", "new", "second")
    await stand.rollout.look()
    assert stand.left == FIVE, "nobody has heard from the new Pod"
    assert await stand.look() == ["member-0", *FIVE[2:]]
    deleted = [reason for _, reason, _ in await stand.said() if reason == "MemberUpdated"]
    assert len(deleted) == 2


async def test_a_pod_that_ends_is_waited_for() -> None:
    """Somebody drains a node: that member is away already."""
    stand = Stand()
    path = POD.path(NS, "quorate-member-3-0")
    stand.api.objects[path]["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
    assert await stand.look() == FIVE
    ((kind, reason, note),) = await stand.said()
    assert (kind, reason) == ("Warning", "MemberUpdateWaits")
    assert note == "revision new waits: member-3 must answer first"


@pytest.mark.parametrize("how", ["silent", "never heard", "stale", "not told everything"])
async def test_a_member_that_does_not_answer_is_waited_for(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Though its Pod is ready; why is said once in the log, not at every look."""
    stand = Stand()
    stand.workload("member-2", updateStrategy={"type": "OnDelete"})
    stand.pod("member-2", "new")
    others = [name for name in FIVE if name != "member-2"]
    # All answered in the Pods they have.
    await stand.rollout._see()
    stand.heard(*FIVE)
    if how == "stale":
        stand.monotonic.time += FRESH_SECONDS
    elif how == "not told everything":
        stand.committee.relays["member-2"].synced = False
    else:
        stand.away("member-2")
    with caplog.at_level("WARNING"):
        for _ in range(3):
            assert await stand.look(*others) == FIVE
    assert [r.message for r in caplog.records] == [
        "member-0: revision new waits: member-2 must answer first"
    ]


async def test_nothing_is_deleted_that_others_replace_or_that_is_new() -> None:
    """Of a StatefulSet that rolls by itself; of a revision its controller has not seen; at once."""
    stand = Stand()
    for name in FIVE:
        stand.workload(name, updateStrategy={"type": "RollingUpdate"})
    assert await stand.look() == FIVE
    for name in FIVE:
        stand.workload(name)
        path = STATEFUL_SET.path(NS, names.member_object(name))
        stand.api.objects[path]["metadata"]["generation"] = 3
    assert await stand.look() == FIVE
    for name in FIVE:
        stand.workload(name)
        stand.pod(name, "new")
    assert await stand.look() == FIVE
    assert await stand.said() == []


async def test_the_lease_and_the_uid_are_minded() -> None:
    """Another operator may work by now; another Pod may have the name."""
    stand = Stand()
    stand.holding.held = False
    with pytest.raises(NotHolding):
        await stand.look()
    stand.holding.held = True

    def replaced(method: str, path: str) -> None:
        if method == "DELETE":
            raise ApiRefused(409, "Conflict", "another UID")

    stand.api.fault = replaced
    assert await stand.look() == FIVE
    stand.api.fault = lambda method, path: None
    assert await stand.look() == FIVE[1:]


async def test_a_refusal_is_told_and_tried_again() -> None:
    """An API server that is away: nothing is remembered as done."""
    stand = Stand()

    def away(method: str, path: str) -> None:
        if method == "DELETE":
            raise ApiUnavailable("away")

    stand.api.fault = away
    with pytest.raises(ApiUnavailable):
        await stand.look()
    stand.api.fault = lambda method, path: None
    assert await stand.look() == FIVE[1:]


async def test_pods_that_serve_nobody_are_replaced_after_a_while() -> None:
    """Two that are broken in the old revision keep no upgrade from mending them."""
    stand = Stand()
    broken, well = FIVE[:2], FIVE[2:]
    for name in broken:
        stand.pod(name, ready=False)
    stand.away(*broken)
    assert await stand.look(*well) == FIVE
    stand.monotonic.time += STUCK_SECONDS
    assert await stand.look(*well) == FIVE[1:]
    stand.pod("member-0", "new", "second")
    assert await stand.look("member-0", *well) == ["member-0", *well]
