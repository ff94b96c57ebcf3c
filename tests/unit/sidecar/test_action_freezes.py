"""What is frozen, as members tell it: who is believed, how soon, and what liars cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from quorate import limits
from quorate.consensus import epoch as epochs
from quorate.consensus import freeze
from quorate.consensus.asker import target
from quorate.consensus.epoch import Admins, Change, Epoch
from quorate.consensus.freeze import Scope, SignedOrder, Target
from quorate.consensus.request import Principal
from quorate.consensus.succession import Endorsement
from quorate.errors import Unavailable
from quorate_io.clock import SystemClock
from quorate_io.member_api import FreezesAnswer
from quorate_sidecar.actions import freezes
from quorate_sidecar.actions.freezes import FreezeKeeper
from tests.fakes.acting import ADMIN, MANIFEST, POLICY, frozen
from tests.fakes.committee import FakeCommittee
from tests.fakes.vouching import signer

PRINCIPAL = Principal("team-a", "chat-0", "demo", MANIFEST, (POLICY,))
CHAT = target(PRINCIPAL, "chat")


class Members:
    """Members that hold their answers until there is news, as real ones do."""

    def __init__(self, *names: str) -> None:
        self.orders: dict[str, list[SignedOrder]] = {name: [] for name in names}
        self.down: set[str] = set()
        self.asked: dict[str, list[str]] = {name: [] for name in names}

    def names(self) -> Collection[str]:
        return self.orders.keys()

    async def freezes(self, name: str, cursor: str) -> FreezesAnswer:
        self.asked[name].append(cursor)
        if name in self.down:
            raise Unavailable("down")
        held = self.orders[name]
        known = int(cursor.removeprefix("n")) if cursor else -1
        while len(held) == known:  # noqa: ASYNC110 - as simple as that
            await asyncio.sleep(0.01)
        after = tuple(held[max(known, 0) :])
        return FreezesAnswer(cursor=f"n{len(held)}", more=False, orders=after)


class Clock(SystemClock):
    """The system's, and some time."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Scene:
    def __init__(self, *names: str) -> None:
        self.committee = FakeCommittee(admins=[ADMIN])
        self.epoch: Epoch | None = self.committee.epoch
        self.members = Members(*names)
        self.clock = Clock()
        self.changes = 0
        self.keeper = FreezeKeeper(
            self.members, lambda: self.epoch, self.clock, lambda: self._changed()
        )

    def _changed(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """The keeper asks while the block runs."""
        task = asyncio.ensure_future(self.keeper.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def covers(self, what: Target = CHAT) -> bool:
        return self.keeper.covering(what) is not None


async def until(true: Callable[[], bool], seconds: float = 2.0) -> float:
    """Wait until something holds; how long that took. Fails after ``seconds``."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


@pytest.mark.requirement("freeze: in force in every sidecar within 2 s")
async def test_one_member_is_enough_to_freeze() -> None:
    """Whoever of them tells it: it counts by its signature. It is told on at once, once."""
    scene = Scene("m0", "m1", "m2")
    scene.members.down = {"m0", "m2"}
    async with scene.following():
        await until(lambda: len(scene.members.asked["m1"]) > 1)
        assert not scene.covers()
        order = frozen(ADMIN, Scope.NAMESPACE, "team-a")
        scene.members.orders["m1"].append(order)
        assert await until(scene.covers) < 1.0
        scene.members.down = set()
        scene.members.orders["m0"].append(order)
        await until(lambda: "n1" in scene.members.asked["m0"])
        assert (scene.changes, len(scene.keeper)) == (1, 1)


async def test_what_is_known_stays_when_nobody_answers() -> None:
    """Until it ends by itself, or a record releases it."""
    scene = Scene("m0")
    order = frozen(ADMIN, Scope.CLUSTER)
    scene.keeper.learn([order])
    scene.members.down = {"m0"}
    async with scene.following():
        await until(lambda: len(scene.members.asked["m0"]) > 1)
    assert scene.covers()
    assert scene.epoch is not None
    record = msgspec.structs.replace(scene.epoch.record, released=(order.order.order_id,))
    scene.epoch = replace(scene.epoch, record=record)
    assert not scene.covers()
    assert len(scene.keeper) == 0
    scene = Scene("m0")
    scene.keeper.learn([frozen(ADMIN, Scope.CLUSTER, life=60)])
    scene.clock.ahead = timedelta(seconds=61)
    assert not scene.covers()


@pytest.mark.parametrize("wrong", ["stranger", "cluster", "scope", "changed"])
async def test_what_is_not_signed_as_it_must_be_freezes_nothing(wrong: str) -> None:
    """A member alone freezes nobody."""
    scene = Scene("m0")
    order = frozen(ADMIN, Scope.NAMESPACE, "team-a")
    order = {
        "stranger": frozen(signer(), Scope.NAMESPACE, "team-a"),
        "cluster": frozen(ADMIN, Scope.NAMESPACE, "team-a", cluster="other"),
        "scope": frozen(ADMIN, Scope.CLUSTER, "team-a"),
        "changed": SignedOrder(
            msgspec.structs.replace(order.order, reason="x"), order.endorsements
        ),
    }[wrong]
    assert not scene.keeper.learn([order])
    assert not scene.covers()
    assert scene.changes == 0


async def test_a_liar_has_nothing_verified_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is asked less often; an honest member beside it is heard meanwhile."""
    verified = 0
    genuine = freeze.verify

    def counted(*given):  # type: ignore[no-untyped-def]
        nonlocal verified
        verified += 1
        genuine(*given)

    monkeypatch.setattr(freeze, "verify", counted)
    scene = Scene("m0", "m1")
    bad = [frozen(signer(), Scope.NAMESPACE, "team-a") for _ in range(4)]
    for _ in range(3):
        assert not scene.keeper.learn(bad)
    assert verified == 4
    scene.members.orders["m0"] = bad
    async with scene.following():
        scene.members.orders["m1"].append(frozen(ADMIN, Scope.WORKLOAD, "team-a/chat"))
        await until(scene.covers)
        await asyncio.sleep(0.3)
        assert len(scene.members.asked["m0"]) <= 2
    assert verified == 5


async def test_an_order_of_a_later_epoch_counts_once_that_is_known() -> None:
    """Its administrators are not known before; then everything is asked for again."""
    scene = Scene("m0")
    successor = signer()
    scene.members.orders["m0"] = [frozen(successor, Scope.NAMESPACE, "team-a")]
    async with scene.following():
        await until(lambda: len(scene.members.asked["m0"]) > 0)
        await asyncio.sleep(0.1)
        assert not scene.covers()
        before = scene.committee.epoch
        scene.epoch = epochs.open_epoch(
            msgspec.structs.replace(
                before.record,
                number=1,
                previous=before.digest_text,
                change=Change.MEMBERSHIP,
                admins=Admins((successor.public_key.pem,), 1),
            )
        )
        assert await until(scene.covers) < 2.0


async def test_nothing_is_forgotten_before_an_epoch_is_known() -> None:
    """What was told too early is asked for again."""
    scene = Scene("m0")
    scene.epoch = None
    scene.members.orders["m0"] = [frozen(ADMIN, Scope.NAMESPACE, "team-a")]
    async with scene.following():
        await until(lambda: bool(scene.members.asked["m0"]))
        await asyncio.sleep(0.05)
        assert not scene.covers()
        scene.epoch = scene.committee.epoch
        await until(scene.covers)


async def test_whoever_is_no_member_any_more_is_not_asked() -> None:
    """And who is a new one is."""
    scene = Scene("m0")
    async with scene.following():
        await until(lambda: bool(scene.members.asked["m0"]))
        del scene.members.orders["m0"]
        scene.members.orders["m1"], scene.members.asked["m1"] = [], []
        await until(lambda: bool(scene.members.asked["m1"]))
        assert set(scene.keeper._asking) == {"m1"}


@pytest.mark.requirement("freeze: a date that has not come, or is past, freezes nothing")
async def test_an_order_counts_between_its_dates() -> None:
    """One that is dated ahead, as no honest member tells it, waits for its date, give or take what
    clocks may differ; one that is over is none; an unsigned one is not even remembered."""
    scene = Scene()
    now = scene.clock.now().replace(microsecond=0)
    hour = timedelta(hours=1)
    order = frozen(ADMIN, Scope.CLUSTER).order
    ahead = msgspec.structs.replace(order, issued_at=now + hour, expires_at=now + 2 * hour)
    signature = ADMIN.sign(freeze.ORDER_TAG + freeze.encode(ahead))
    signed = SignedOrder(ahead, (Endorsement(ADMIN.public_key.pem, signature),))
    assert not scene.keeper.learn([SignedOrder(ahead, frozen(ADMIN, Scope.CLUSTER).endorsements)])
    assert scene.keeper.learn([signed, signed])
    assert (scene.covers(), scene.changes) == (False, 0)
    scene.clock.ahead = hour - timedelta(seconds=limits.CLOCK_SKEW + 5)
    assert not scene.covers()
    scene.clock.ahead = hour - timedelta(seconds=limits.CLOCK_SKEW - 5)
    assert (scene.covers(), scene.changes) == (True, 1)
    scene.clock.ahead = timedelta()
    assert scene.covers(), "a clock that goes back ends no freeze"
    scene.clock.ahead = 2 * hour + timedelta(seconds=5)
    assert not scene.covers()
    assert scene.keeper.learn([signed])
    assert not scene.covers()


async def test_orders_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator's key in bad hands takes no memory."""
    monkeypatch.setattr(freezes, "AHEAD_MAX", 2)
    scene = Scene()
    scene.clock.ahead = -timedelta(hours=1)
    orders = [frozen(ADMIN, Scope.NAMESPACE, f"team-{n}") for n in range(4)]
    assert not scene.keeper.learn(orders)
    scene.clock.ahead = timedelta()
    scene.covers()
    assert len(scene.keeper) == 2
