"""Who is told and heard, as the members come and go, and when asking makes sense."""

import asyncio
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus.thresholds import PRESETS
from quorate_io.member_api import ObservedAnswer
from quorate_operator.committee import Committee
from quorate_operator.effects import relay as relays
from quorate_operator.metrics import Metrics
from tests.fakes import vouching
from tests.unit.operator.fake_api import FixedClock, Monotonic
from tests.unit.operator.links import Link, Links
from tests.unit.operator.scene import verified_scene

FIVE = [f"member-{i}" for i in range(5)]


class Stand:
    """An operator with five members, of whom four must sign."""

    def __init__(self, *names: str) -> None:
        members = vouching.Committee(n=5, thresholds=PRESETS["standard"])
        self.scene = verified_scene(members)
        self.links, self.monotonic = Links(*(names or FIVE)), Monotonic()
        self.metrics = Metrics(CollectorRegistry())
        clock = FixedClock(self.scene.now)
        world, client = self.scene.world, self.links.client
        self.committee = Committee(client, world, clock, self.metrics, self.monotonic)

    def away(self, *names: str, seconds: float = 0.0) -> None:
        """These members have not answered for so long."""
        for name in names:
            since = self.monotonic.time - seconds
            self.committee.relays[name]._failing_since = since

    def gauge(self, member: str) -> Any:
        """When the member was last heard, as a metric."""
        name = "quorate_operator_member_heard_timestamp_seconds"
        return self.metrics.registry.get_sample_value(name, {"member": member})


@pytest.mark.requirement("reachable: at least as many members answer as must sign")
def test_asking_makes_sense_while_enough_members_answer() -> None:
    """One of five may be away; with two away no question is asked, and they are named."""
    stand = Stand()
    assert stand.committee.hopeless() == ""
    stand.away("member-3", seconds=7.0)
    assert stand.committee.hopeless() == ""
    assert stand.committee.silent() == {"member-3": 7.0}
    stand.away("member-1")
    assert stand.committee.hopeless() == (
        "3 of 5 members answered the operator; 4 must sign; member-1, member-3 did not"
    )


def test_who_waits_is_told_when_enough_members_are_back() -> None:
    """The third of five that answers makes nothing possible; the fourth does."""
    stand, told = Stand(), list[str]()
    stand.committee.on_heard = lambda: told.append("enough")
    stand.away(*FIVE[:3])
    for name, expected in (("member-0", 0), ("member-1", 1), ("member-2", 2)):
        relay = stand.committee.relays[name]
        relay._succeeded(ObservedAnswer(session="s", sequence=1, ready=True))
        assert len(told) == expected


def test_who_was_found_lying_counts_for_nothing() -> None:
    """Neither as one that answers, nor as one that is away, nor by what it tells of pods; and how
    many must sign stays as it is."""
    stand = Stand()
    stand.scene.world.follow(stand.scene.committee.without(2))
    assert stand.committee.standing == set(FIVE) - {"member-2"}
    assert stand.committee.hopeless() == ""
    assert len(list(stand.committee.words())) == 4
    stand.away("member-2")
    assert stand.committee.silent() == {}
    stand.away("member-4")
    assert "3 of 5 members" in stand.committee.hopeless()


def test_whose_store_is_broken_is_known_by_its_own_word() -> None:
    """Until it says otherwise; of one that was found lying nobody cares."""
    stand = Stand()
    answer = ObservedAnswer(session="s", sequence=1, ready=True)
    for name in ("member-1", "member-2"):
        relay = stand.committee.relays[name]
        relay._succeeded(msgspec.structs.replace(answer, store_broken="full"))
    assert stand.committee.stores_broken() == {"member-1": "full", "member-2": "full"}
    stand.committee.relays["member-1"]._succeeded(answer)
    stand.scene.world.follow(stand.scene.committee.without(2))
    assert stand.committee.stores_broken() == {}


def test_members_come_and_go_with_the_epochs() -> None:
    """A new one gets a relay, one that went leaves nothing behind, and the others just go on."""
    stand = Stand()
    before = stand.committee.relays
    del stand.links.links["member-0"]
    stand.links.links["member-5"] = Link("member-5")
    stand.committee.follow()
    after = stand.committee.relays
    assert set(after) == {*FIVE[1:], "member-5"}
    assert all(after[name] is before[name] for name in FIVE[1:])
    assert (stand.gauge("member-0"), stand.gauge("member-5")) == (None, 0)


async def heard(*members: Link) -> None:
    """Wait until each of them was told something."""
    while not all(member.heard for member in members):  # noqa: ASYNC110 - they say nothing
        await asyncio.sleep(0.01)


async def test_every_member_is_told_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hear everything while the fifth hangs; a sixth is told as soon as it is one."""
    monkeypatch.setattr(relays, "HEARTBEAT", 0.01)
    monkeypatch.setattr("quorate_operator.committee.FOLLOW_SECONDS", 0.01)
    stand = Stand()

    async def hangs(batch: object) -> None:
        await asyncio.Event().wait()

    stand.links.links["member-2"].observe = hangs  # type: ignore[assignment, method-assign]
    running = asyncio.create_task(stand.committee.run())
    async with asyncio.timeout(10):
        await heard(*(stand.links.links[name] for name in FIVE if name != "member-2"))
        gone = stand.links.links.pop("member-2")
        new = stand.links.links["member-5"] = Link("member-5")
        await heard(new)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gone.heard == []
    assert [m["metadata"]["name"] for m in stand.links.links["member-5"].heard[0].models] == [
        "demo"
    ]
